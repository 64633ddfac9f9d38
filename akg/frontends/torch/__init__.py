"""``torch.compile(model, backend="akg")``. The entry point in `torch_dynamo_backends` names `backend`."""

from akg.frontends.torch.backend import backend as backend
from akg.frontends.torch.table import load_converters
from akg.frontends.torch.table import supported as supported

load_converters("pointwise", "moving", "reducing", "contracting", "pooling")
