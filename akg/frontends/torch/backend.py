"""``torch.compile(model, backend="akg")``: forward and backward graphs on akg's kernels."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from akg.base.collection import uncollected
from akg.base.trace import logger
from akg.frontends.torch.layers import encoder_layer
from akg.frontends.torch.package import aot, decompositions, functorch, torch
from akg.frontends.torch.partition import compile_module

_log = logger("torch")
_numbers = itertools.count()
# Beyond torch's core set: what fuses better as its parts.
_EXTRA = (
    "native_layer_norm_backward", "native_group_norm", "native_group_norm_backward", "native_batch_norm",
    "_native_batch_norm_legit", "_native_batch_norm_legit_functional", "_native_batch_norm_legit.no_stats",
    "native_batch_norm_backward", "nll_loss_forward", "nll_loss_backward", "nll_loss2d_forward",
    "nll_loss2d_backward", "gelu_backward", "silu_backward", "sigmoid_backward", "tanh_backward",
    "threshold_backward", "hardswish_backward", "hardsigmoid_backward", "elu_backward", "leaky_relu_backward",
    "mse_loss", "mse_loss_backward", "smooth_l1_loss", "smooth_l1_loss_backward", "huber_loss",
    "huber_loss_backward", "masked_fill", "addcmul", "addcdiv", "lerp", "linalg_vector_norm", "_euclidean_dist",
    "std_mean", "std", "logsumexp", "new_zeros", "new_ones", "new_full", "embedding_dense_backward",
    "softplus_backward", "rsub", "stack", "unsafe_split", "t", "transpose", "upsample_nearest2d", "avg_pool2d_backward",
    "_scaled_dot_product_flash_attention_for_cpu", "batch_norm_backward", "_batch_norm_with_update",
    "_batch_norm_with_update_functional", "_batch_norm_no_update", "mish_backward", "binary_cross_entropy",
    "binary_cross_entropy_backward", "log_sigmoid_forward", "log_sigmoid_backward", "l1_loss", "glu", "glu_backward",
)  # fmt: skip
# Converted as a whole: better kernels than their parts.
_WHOLE = ("_softmax", "_log_softmax", "_softmax_backward_data", "_log_softmax_backward_data", "native_layer_norm",
          "addmm", "relu", "gelu", "silu", "_native_batch_norm_legit_no_training", "var", "var_mean", "mean", "select",
          "split", "split_with_sizes", "leaky_relu", "elu", "softplus", "hardtanh", "hardswish", "hardsigmoid", "mish",
          "max_pool2d_with_indices", "convolution_backward", "rsqrt", "square", "zeros_like", "ones_like", "full_like",
          "unbind", "baddbmm", "slice_scatter", "select_scatter", "unsqueeze", "squeeze", "tril", "triu")  # fmt: skip


# Converted as a whole where no gradient is asked for, which would need what only the parts compute.
_WHOLE_FORWARD = ("_scaled_dot_product_flash_attention_for_cpu",)


@cache
def _table(*, has_gradients: bool) -> dict[Any, Any]:
    aten = torch.ops.aten
    found = dict(decompositions.core_aten_decompositions())
    extra = [getattr(aten, n.split(".")[0]) for n in _EXTRA if hasattr(aten, n.split(".")[0])]
    found.update(decompositions.get_decompositions(extra))
    found[aten._transformer_encoder_layer_fwd.default] = encoder_layer
    kept = _WHOLE if has_gradients else (*_WHOLE, *_WHOLE_FORWARD)
    whole = {getattr(aten, name) for name in kept if hasattr(aten, name)}
    return {op: f for op, f in found.items() if getattr(op, "overloadpacket", op) not in whole}


def backend(module: Any, example_inputs: Sequence[Any], *, options: Mapping[str, Any] | None = None, **_: Any) -> Any:
    """The backend for `torch.compile`.

    Args:
        module: an FX graph, from Dynamo.
        example_inputs: its arguments.
        options: "target" and "strategy", as for `akg.build`.

    Returns:
        A callable on the same arguments.
    """
    given = dict(options or {})
    target, strategy = given.get("target"), given.get("strategy")
    number = next(_numbers)

    def compiler(kind: str) -> Any:
        def compiled(graph: Any, inputs: Sequence[Any]) -> Any:
            del inputs
            return compile_module(graph, f"torch{number}_{kind}", target, strategy)

        return compiled

    has_gradients = torch.is_grad_enabled() and any(
        getattr(x, "requires_grad", False) for x in (*example_inputs, *module.parameters())
    )
    kinds = torch.nn.attention.SDPBackend
    allowed = [kinds.MATH] if has_gradients else [kinds.FLASH_ATTENTION, kinds.MATH]
    with uncollected(), torch.nn.attention.sdpa_kernel(allowed):
        return aot.aot_autograd(
            fw_compiler=compiler("forward"), bw_compiler=compiler("backward"),
            inference_compiler=compiler("inference"),
            decompositions=_table(has_gradients=has_gradients),
            partition_fn=functorch.min_cut_rematerialization_partition,
        )(module, example_inputs)  # fmt: skip
