"""Attention: sums of values, weighted by a softmax of the products of queries and keys.

The definition is the plain one, score by score. On a CPU it runs in tiles that stay in cache, the scores are never
stored as a whole; see `akg.poly.rewrite.softmax_tiles`.
"""

from __future__ import annotations

from math import inf

from akg.base.errors import AkgError
from akg.ir import te
from akg.ir.expr import Const, Expr
from akg.ir.te.tensor import Tensor, shape_text
from akg.ops.contraction import matmul
from akg.ops.normalization import softmax
from akg.ops.registry import operator
from akg.ops.shape import check_dtype, check_tensor, compute_broadcast, same_size
from akg.ops.shape import value as typed

__all__ = ["scaled_dot_product_attention"]


@operator("scaled_dot_product_attention", kind="opaque")
def scaled_dot_product_attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None, *, causal: bool = False,
    scale: float | None = None,
) -> Tensor:  # fmt: skip
    """``softmax(query @ key^T * scale + mask) @ value``, of shape (..., heads, rows, width of the values).

    16-bit floats are multiplied and summed up in float32, and the weights are rounded to 16 bits before the second
    product. A row whose every key is masked is NaN.

    Args:
        query: floats of shape (..., heads, rows, depth), or without heads.
        key: floats of shape (..., groups, keys, depth); each group of keys serves heads / groups heads in a row.
        value: floats of shape (..., groups, keys, width).
        mask: broadcasts to (..., heads, rows, keys): bool, where a key counts, or floats to add to the scores.
        causal: whether a row sees only keys up to its own position.
        scale: a factor of the scores; None: ``depth ** -0.5``.

    Raises:
        AkgError: AKG-E280 if extents that meet differ, or heads are no multiple of groups, AKG-E281 for an operand
            without rows, AKG-E274 for operands that are no floats of one type, AKG-E272 if the rest does not broadcast.
    """
    for x, what in ((query, "query"), (key, "key"), (value, "value")):
        kind = check_dtype(check_tensor(x, what).dtype, "a float", what)
        if x.ndim < 2:
            raise AkgError(
                "AKG-E281", f"{what} has {x.ndim} dimensions", because=f"its shape is {shape_text(x.shape)}",
                hint="give (..., rows, depth)",
            )  # fmt: skip
        if kind is not query.dtype:
            raise AkgError(
                "AKG-E274", f"{what} is of type {kind}", because=f"query is of type {query.dtype}",
                hint="convert one of them with akg.ops.astype",
            )  # fmt: skip
    groups = _groups(query, key, value)
    if groups is not None:
        query = _split_heads(query, *groups)
        key, value = _with_group(key), _with_group(value)
        mask = mask if mask is None else _grouped_mask(mask, *groups)
    wide = query.dtype.compute
    factor = _scale(query) if scale is None else te.const(float(scale), wide)
    scores = matmul(query, key, transpose_b=True, out_dtype=wide)
    shifted = _shifted(scores, mask, factor)
    if causal:
        shifted = te.compute(
            shifted.shape, lambda *i: te.where(i[-1] <= i[-2], shifted[i], te.const(-inf, wide)), name="causal"
        )
    weights = softmax(shifted, axis=-1)
    rounded = weights if wide is query.dtype else te.compute(
        weights.shape, lambda *i: te.cast(weights[i], value.dtype), name="weights"
    )  # fmt: skip
    result = matmul(rounded, value)
    return result if groups is None else _joined_heads(result, *groups)


def _scale(query: Tensor) -> Expr:
    depth, wide = query.shape[-1], query.dtype.compute
    if isinstance(depth, Const):
        return te.const(max(int(depth), 1) ** -0.5, wide)
    return te.rsqrt(te.cast(depth, wide))


def _shifted(scores: Tensor, mask: Tensor | None, factor: Expr) -> Tensor:
    """Scores times their factor, masked."""
    kind = scores.dtype
    if mask is None:
        return compute_broadcast("scaled", (scores,), lambda s: s * factor)
    if check_tensor(mask, "mask").dtype.name == "bool":
        return compute_broadcast("masked", (scores, mask), lambda s, m: te.where(m, s * factor, te.const(-inf, kind)))
    check_dtype(mask.dtype, "a float", "mask")
    return compute_broadcast("masked", (scores, mask), lambda s, m: s * factor + typed(m, kind))


# --- groups of heads --------------------------------------------------------------------------------------


def _groups(query: Tensor, key: Tensor, value: Tensor) -> tuple[int, int] | None:
    """(groups, heads in each) where several heads share keys and values; None where each has its own."""
    if min(query.ndim, key.ndim, value.ndim) < 3:
        return None
    heads, groups = query.shape[-3], key.shape[-3]
    if same_size(heads, groups) or not same_size(groups, value.shape[-3]):
        return None
    if not (isinstance(heads, Const) and isinstance(groups, Const)) or int(groups) < 2:
        return None
    if int(heads) % int(groups):
        raise AkgError(
            "AKG-E280", f"{int(heads)} heads do not share {int(groups)} groups of keys",
            because="each group serves as many heads", hint="give a multiple of the groups as heads",
        )  # fmt: skip
    return int(groups), int(heads) // int(groups)


def _split_heads(x: Tensor, groups: int, heads: int) -> Tensor:
    """(..., groups * heads, m, n) as (..., groups, heads, m, n)."""
    shape = (*x.shape[:-3], Const(groups), Const(heads), *x.shape[-2:])
    return te.compute(shape, lambda *i: x[(*i[:-4], i[-4] * heads + i[-3], *i[-2:])], name="heads")


def _with_group(x: Tensor) -> Tensor:
    """(..., groups, m, n) as (..., groups, 1, m, n)."""
    shape = (*x.shape[:-2], Const(1), *x.shape[-2:])
    return te.compute(shape, lambda *i: x[(*i[:-3], *i[-2:])], name="group")


def _grouped_mask(mask: Tensor, groups: int, heads: int) -> Tensor:
    if check_tensor(mask, "mask").ndim < 3:
        return mask
    if same_size(mask.shape[-3], Const(1)):
        return _with_group(mask)
    return _split_heads(mask, groups, heads)


def _joined_heads(x: Tensor, groups: int, heads: int) -> Tensor:
    """(..., groups, heads, m, n) as (..., groups * heads, m, n)."""
    shape = (*x.shape[:-4], Const(groups * heads), *x.shape[-2:])
    return te.compute(shape, lambda *i: x[(*i[:-3], i[-3] // heads, i[-3] % heads, *i[-2:])], name="joined")
