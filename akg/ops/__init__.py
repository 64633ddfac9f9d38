"""The operator library: ``akg.ops.<name>`` on te tensors, each operator defined by its expression.

    X = te.placeholder((4096, 1000), "float32", name="X")
    kernel = akg.build([akg.ops.softmax(X, axis=-1)], inputs=[X])

Names and keywords are those of the array API where it has the operator. `table` lists all operators with their
classes and signatures.
"""

from akg.ops.activation import *  # noqa: F403
from akg.ops.attention import *  # noqa: F403
from akg.ops.contraction import *  # noqa: F403
from akg.ops.convolution import *  # noqa: F403
from akg.ops.creation import *  # noqa: F403
from akg.ops.elementwise import *  # noqa: F403
from akg.ops.indexing import *  # noqa: F403
from akg.ops.loss import *  # noqa: F403
from akg.ops.movement import *  # noqa: F403
from akg.ops.normalization import *  # noqa: F403
from akg.ops.padding import *  # noqa: F403
from akg.ops.pooling import *  # noqa: F403
from akg.ops.reduction import *  # noqa: F403
from akg.ops.registry import Operator as Operator
from akg.ops.registry import get as get
from akg.ops.registry import table as table
from akg.ops.resampling import *  # noqa: F403
from akg.ops.reshaping import *  # noqa: F403
from akg.ops.scan import *  # noqa: F403
