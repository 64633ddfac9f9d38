"""Reverse-mode differentiation of definitions (Griewank and Walther 2008, "Evaluating Derivatives").

The stages of the definition are visited from the output to the inputs. Each passes the adjoint of its output on to
the tensors that it reads: the chain rule gives what one iteration passes to one element (`chain`), inverting the
access gives the sum over all iterations that read an element (`inverse`, `adjoint`).

What is undefined is decided so: a tie in ``maximum(a, b)`` goes to `a`, or counts as constant if one side is; ties in
a max or min reduction share equally; ``abs`` has slope 0 at 0; rounding and integers are constant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from akg.base.dtype import index
from akg.base.errors import AkgError, user_facing
from akg.ir import te
from akg.ir.buffer import Buffer
from akg.ir.expr import Const, Expr, Load, Reduce, Var
from akg.ir.rewrite import loads_of, rewrite, substitute
from akg.ir.simplify import simplify
from akg.ir.stage import Stage, build_stages
from akg.ir.te.tensor import Compute, Placeholder, Tensor, shape_text
from akg.ops.gradient.adjoint import Adjoint, Domain, contributions, is_free
from akg.ops.gradient.chain import flows_of
from akg.ops.gradient.reduction import reduction_seed
from akg.ops.gradient.running import running_seed
from akg.ops.shape import same_size
from akg.ops.stopping import is_stopped


@user_facing
def differentiate(
    output: Tensor, inputs: Tensor | Var | Sequence[Tensor | Var], head: Tensor | None = None
) -> list[Tensor]:
    """The gradients of ``sum(head * output)``, one definition per input, each of the input's shape and type.

    Args:
        output: a computed tensor of a floating-point type.
        inputs: placeholders, computed tensors or scalars (`te.scalar`) that `output` depends on; where it does not, the
            gradient is zero. That of a scalar has rank 0.
        head: the adjoint of `output`, of its shape; by default all ones. (For a Jacobian, give unit tensors.)

    Raises:
        AkgError: AKG-E290 for something that is no tensor, AKG-E291 for types that have no gradients, AKG-E292 for a
            head that does not fit, AKG-E293 for a reduction whose derivative is not known.
    """
    given = (inputs,) if isinstance(inputs, (Tensor, Var)) else inputs
    _check(output, given, head)
    scalars = {v: te.compute((), lambda v=v: v, name=v.name) for v in given if isinstance(v, Var)}
    stages = _as_tensors(build_stages([output]), {v: Load(tensor, ()) for v, tensor in scalars.items()})
    targets = tuple([scalars[v] if isinstance(v, Var) else v for v in given])
    return _Differentiation(stages, output, targets, head).run()


def _check(output: object, inputs: object, head: object) -> None:
    if not isinstance(inputs, (list, tuple)):
        raise _no_tensor("inputs", inputs)
    for what, value in (("output", output), *[(f"input {k}", v) for k, v in enumerate(inputs)]):
        is_scalar = isinstance(value, Var) and value.dtype is not index and what != "output"
        if not isinstance(value, Tensor) and not is_scalar:
            raise _no_tensor(what, value)
        assert isinstance(value, (Tensor, Var))
        if not value.dtype.is_float:
            raise AkgError(
                "AKG-E291",
                f"{what}, {value.name}, is a {'scalar' if is_scalar else 'tensor'} of {value.dtype}",
                span=value.op.span if isinstance(value, Tensor) else None,
                because="only floating-point numbers have gradients",
                hint="convert it to a float first, or leave it out of inputs" if what != "output"
                else "differentiate the values from which it is rounded, compared or chosen",
            )  # fmt: skip
    assert isinstance(output, Tensor)
    if isinstance(output.op, Placeholder):
        raise AkgError(
            "AKG-E290", f"output {output.name} is a placeholder", span=output.op.span,
            because="it is not computed from the inputs", hint="give what te.compute returned",
        )  # fmt: skip
    if head is None:
        return
    if not isinstance(head, Tensor):
        raise _no_tensor("head", head)
    is_same = len(head.shape) == len(output.shape) and all(map(same_size, head.shape, output.shape))
    if not is_same or not head.dtype.is_float:
        raise AkgError(
            "AKG-E292",
            f"head {head.name} is a {head.dtype} tensor of shape {shape_text(head.shape)}",
            because=f"it weighs the elements of {output.name}, which is {output.dtype} of {shape_text(output.shape)}",
            hint=f"declare te.placeholder({output.name}.shape, {output.dtype.name!r}), or leave it out for ones",
        )


def _no_tensor(what: str, value: object) -> AkgError:
    return AkgError(
        "AKG-E290",
        f"{what} is a {type(value).__name__}",
        because="gradients are of tensors with respect to tensors",
        hint="write akg.differentiate(output, [A, B])",
    )


def _as_tensors(stages: list[Stage], scalars: Mapping[Var, Expr]) -> list[Stage]:
    """`stages` whose temporaries are tensors, too, so that gradients can read them; and so are `scalars`."""
    made: dict[Buffer, Tensor] = {}

    def rule(node: Expr) -> Expr | None:
        if isinstance(node, Var):
            return scalars.get(node)
        return Load(made[node.buffer], node.indices) if isinstance(node, Load) and node.buffer in made else None

    result: list[Stage] = []
    for original in stages:
        stage = replace(original)
        stage.change(lambda e: rewrite(e, rule))
        values, condition = stage.values, stage.condition
        outputs: list[Buffer | None] = []
        for position, buffer in enumerate(stage.outputs):
            if buffer is not None and not isinstance(buffer, Tensor):
                assert stage.combiner is not None
                body = Reduce(stage.combiner, values, stage.reduce_axes, condition, position)
                op = Compute(buffer.name, stage.axes, (body,), stage.span)
                made[buffer] = Tensor(buffer.name, buffer.shape, buffer.dtype, op)
                buffer = made[buffer]
            outputs.append(buffer)
        result.append(replace(stage, outputs=tuple(outputs)))
    return result


class _Differentiation:
    """One run of reverse accumulation over stages."""

    def __init__(self, stages: list[Stage], output: Tensor, inputs: tuple[Tensor, ...], head: Tensor | None) -> None:
        self.stages, self.output, self.inputs, self.head = stages, output, inputs, head
        self.active: set[Buffer] = set(inputs)
        self.adjoints: dict[Buffer, Adjoint] = {}
        self.defined: dict[Buffer, tuple[Adjoint, Tensor | Expr]] = {}

    def run(self) -> list[Tensor]:
        """The gradients, in the order of the inputs."""
        for stage in self.stages:
            for buffer in stage.outputs:
                if not isinstance(buffer, Tensor) or is_stopped(buffer):
                    continue
                if any(self._is_active(load) for load in stage.loads):
                    self.active.add(buffer)
        seed = self._adjoint(self.output)
        head = Const(1.0, self.output.dtype) if self.head is None else Load(self.head, seed.place)
        seed.terms.append(head)
        for stage in reversed(self.stages):
            self._visit(stage)
        results: list[Tensor] = []
        for tensor in self.inputs:
            result = self._adjoint(tensor).define() if tensor not in self.defined else self._tensor(tensor)
            is_new = isinstance(result.op, Compute) and result not in results and result is not self.output
            results.append(result if is_new else _copy(result, f"{tensor.name}_grad"))
        made = {form for _, form in self.defined.values() if isinstance(form, Tensor)}
        return [_cropped(result, results, made) for result in results]

    def _is_active(self, load: Load) -> bool:
        return load.buffer in self.active and load.dtype.is_float

    def _adjoint(self, buffer: Buffer) -> Adjoint:
        if buffer not in self.adjoints:
            assert isinstance(buffer, Tensor)
            self.adjoints[buffer] = Adjoint(buffer)
        return self.adjoints[buffer]

    def _tensor(self, buffer: Buffer) -> Tensor:
        """The adjoint of a visited tensor as a tensor."""
        adjoint, form = self.defined[buffer]
        return form if isinstance(form, Tensor) else adjoint.define()

    def _read(self, buffer: Buffer, place: tuple[Expr, ...]) -> Expr:
        """The adjoint of `buffer` at `place`; defines it at the first time."""
        if buffer not in self.defined:
            adjoint = self._adjoint(buffer)
            body = adjoint.body()
            self.defined[buffer] = (adjoint, body if is_free(body) else adjoint.define())
        adjoint, form = self.defined[buffer]
        if isinstance(form, Tensor):
            return Load(form, place)
        return simplify(substitute(form, dict(zip(adjoint.place, place, strict=True))))

    def _visit(self, stage: Stage) -> None:
        """Pass the adjoint of each output of `stage` on to what it reads."""
        place: tuple[Expr, ...] = tuple([axis.var for axis in stage.axes])
        if stage.is_update and stage.place is not None:
            place = stage.place
        domain = Domain((*stage.axes, *stage.reduce_axes), stage.condition)
        for position, buffer in enumerate(stage.outputs):
            if buffer is None or buffer not in self.active or buffer not in self.adjoints:
                continue
            if not stage.is_update and not any(self._is_active(load) for load in stage.loads):
                continue  # an input itself
            value = stage.values[position]
            if stage.is_update:  # what was there before passes through, which only a sum leaves as it is
                reduction_seed(stage, position, value)
            if not any(self._is_active(load) for v in stage.values for load in loads_of(v)):
                continue
            adjoint = self._read(buffer, place)
            result: Expr | None = None
            if stage.scan is not None:
                seed = running_seed(stage, stage.scan, adjoint)
            elif stage.combiner is None:
                result, seed = Load(buffer, place), adjoint
            else:
                seed = reduction_seed(stage, position, adjoint)
            for flow in flows_of(value, seed, result, self._is_active):
                target = self._adjoint(flow.load.buffer)
                target.terms.extend(contributions(flow, domain, target.place))


def _copy(tensor: Tensor, name: str) -> Tensor:
    """A tensor of its own with the same elements, so that it can be an output."""
    return te.compute(tensor.shape, lambda *i: tensor[i], name=name)


def _cropped(result: Tensor, results: list[Tensor], made: set[Tensor]) -> Tensor:
    """`result`, defined by itself where it only reads part of an adjoint (of `made`) that nothing else reads.

    Before: ``P[i] = sum_k(...); G[i] = P[i + 1]``. After: ``G[i] = sum_k(...)`` with i + 1 for i.
    """
    body = result.op.bodies[0] if isinstance(result.op, Compute) else None
    if not isinstance(body, Load) or not isinstance(body.buffer, Tensor) or body.buffer not in made:
        return result
    source = body.buffer
    is_read = [load for other in results for load in _loads_behind(other) if load.buffer is source]
    if (
        not isinstance(source.op, Compute)
        or isinstance(source.op, (te.Scan, te.Scatter))
        or source in results
        or is_read != [body]
        or len(source.op.bodies) != 1
    ):
        return result
    assert isinstance(result.op, Compute)
    moved = substitute(source.op.bodies[0], dict(zip([a.var for a in source.op.axes], body.indices, strict=True)))
    op = Compute(result.op.name, result.op.axes, (simplify(moved),))
    return Tensor(op.name, result.shape, result.dtype, op)


def _loads_of(op: Compute) -> list[Load]:
    return [load for p in range(len(op.bodies)) for e in op.read_by(p) for load in loads_of(e)]


def _loads_behind(tensor: Tensor) -> list[Load]:
    """Every load that `tensor` depends on."""
    found: dict[Load, None] = {}
    stack, seen = [tensor], {tensor}
    while stack:
        op = stack.pop().op
        for load in _loads_of(op) if isinstance(op, Compute) else []:
            found[load] = None
            if isinstance(load.buffer, Tensor) and load.buffer not in seen:
                seen.add(load.buffer)
                stack.append(load.buffer)
    return list(found)
