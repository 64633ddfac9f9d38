"""What is built."""

# pyright: basic, reportCallIssue=false, reportArgumentType=false, reportIndexIssue=false, reportOptionalOperand=false
# pyright: reportOperatorIssue=false, reportAttributeAccessIssue=false, reportGeneralTypeIssues=false, reportUnusedExpression=false

import akg
from tests.errors.mistakes.base import SUM, A, B, V, case, increment, kernel, ones, tower

# fmt: off

@case("""
AKG-E201: cannot build None
    akg.build(None)
    ^^^^^^^^^^^^^^^
because: a computation is a te tensor, a list of te tensors, an @akg.script function or loop IR
hint: pass the output tensors, as in akg.build([C], inputs=[A, B])
""")
def build_of_none():
    akg.build(None)


@case("""
AKG-E244: no outputs
    akg.build([])
    ^^^^^^^^^^^^^
because: the list is empty
hint: give the tensors to compute: [C]
""")
def build_of_nothing():
    akg.build([])


@case("""
AKG-E201: cannot build an object of type function
    akg.build(lambda x: x)
    ^^^^^^^^^^^^^^^^^^^^^^
because: a computation is a te tensor, a list of te tensors, an @akg.script function or loop IR
hint: decorate the function with @akg.script
""")
def build_of_a_function():
    akg.build(lambda x: x)


@case("""
AKG-E201: cannot build an object of type Kernel
    akg.build(kernel())
    ^^^^^^^^^^^^^^^^^^^
because: a computation is a te tensor, a list of te tensors, an @akg.script function or loop IR
hint: it is built already: call it
""")
def build_of_a_kernel():
    akg.build(kernel())


@case("""
AKG-E201: cannot build a list with int in it
    akg.build([SUM, 3])
    ^^^^^^^^^^^^^^^^^^^
because: a computation is a te tensor, a list of te tensors, an @akg.script function or loop IR
hint: pass the output tensors, as in akg.build([C], inputs=[A, B])
""")
def build_of_a_mixture():
    akg.build([SUM, 3])


@case("""
AKG-E244: output A is a placeholder
    a, b = te.placeholder((n,), name="A"), te.placeholder((n,), name="B")
           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: a kernel computes its outputs
hint: copy it: te.compute(A.shape, lambda *i: A[i])
""")
def build_of_a_placeholder():
    akg.build([A])


@case("""
AKG-E244: output add is given twice
    akg.build([SUM, SUM])
    ^^^^^^^^^^^^^^^^^^^^^
because: each output is an array of its own
hint: give every output once
""")
def output_twice():
    akg.build([SUM, SUM])


@case("""
AKG-E202: the computation is nested too deeply
    akg.build([tower()])
    ^^^^^^^^^^^^^^^^^^^^
because: an expression takes more than LIMIT nested calls, Python's limit
hint: give parts of it a te.compute or a loop of their own, or raise sys.setrecursionlimit
""")
def build_of_a_tower():
    akg.build([tower()])


@case("""
AKG-E248: B is missing from inputs
    a, b = te.placeholder((n,), name="A"), te.placeholder((n,), name="B")
                                           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: the outputs depend on B
hint: add B to inputs, or leave inputs out to take all in order of first use
""")
def missing_input():
    akg.build([SUM], inputs=[A])


@case("""
AKG-E248: input V is not used
V = te.placeholder((n,), name="V")
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: no output depends on V
hint: leave it out of inputs
""")
def input_of_another_definition():
    akg.build([SUM], inputs=[A, B, V])


@case("""
AKG-E248: input 0 is of type ndarray
    akg.build([SUM], inputs=[ones, ones])
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: inputs are placeholders and scalars
hint: give what te.placeholder, te.scalar or te.var returned
""")
def array_for_an_input():
    akg.build([SUM], inputs=[ones, ones])


@case("""
AKG-E248: inputs is of type Tensor
    akg.build([SUM], inputs=A)
    ^^^^^^^^^^^^^^^^^^^^^^^^^^
because: it lists arguments in calling order
hint: write inputs=[A, B]
""")
def input_that_is_no_list():
    akg.build([SUM], inputs=A)


@case("""
AKG-E248: input 2 is add, which is computed
    akg.build([SUM], inputs=[A, B, SUM])
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: inputs are placeholders and scalars
hint: give what te.placeholder, te.scalar or te.var returned
""")
def computed_input():
    akg.build([SUM], inputs=[A, B, SUM])


@case("""
AKG-E248: inputs= with a Script
    akg.build(increment, inputs=[A])
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: it says its arguments itself; inputs= is for te tensors
hint: leave inputs= away
""")
def inputs_of_a_script():
    akg.build(increment, inputs=[A])


@case("""
AKG-E109: wrong call of build
    akg.build([SUM], input=[A, B])
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: build() got an unexpected keyword argument 'input'
hint: did you mean 'inputs'?
""")
def misspelled_parameter():
    akg.build([SUM], input=[A, B])


@case("""
AKG-E107: 3 is not a name
    akg.build([SUM], name=3)
    ^^^^^^^^^^^^^^^^^^^^^^^^
because: names are identifiers
hint: as in name='softmax'
""")
def number_for_a_name():
    akg.build([SUM], name=3)
