"""Layers that torch runs as one operator where no gradient is asked for, as the operators that they are made of."""

from __future__ import annotations

from typing import Any

from akg.frontends.torch.package import torch


def encoder_layer(
    src: Any, embed_dim: int, num_heads: int, qkv_weight: Any, qkv_bias: Any, proj_weight: Any, proj_bias: Any,
    use_gelu: bool, norm_first: bool, eps: float, norm_weight_1: Any, norm_bias_1: Any, norm_weight_2: Any,
    norm_bias_2: Any, ffn_weight_1: Any, ffn_bias_1: Any, ffn_weight_2: Any, ffn_bias_2: Any, mask: Any = None,
    mask_type: int | None = None,
) -> Any:  # fmt: skip
    """`nn.TransformerEncoderLayer` on a dense batch (batch, sequence, features); with a mask it stays as it is."""
    if mask is not None or mask_type is not None or src.dim() != 3:
        return NotImplemented
    functional = torch.nn.functional

    def norm_1(x: Any) -> Any:
        return functional.layer_norm(x, (embed_dim,), norm_weight_1, norm_bias_1, eps)

    def norm_2(x: Any) -> Any:
        return functional.layer_norm(x, (embed_dim,), norm_weight_2, norm_bias_2, eps)

    def attention(x: Any) -> Any:
        shape = (*x.shape[:2], num_heads, embed_dim // num_heads)
        parts = functional.linear(x, qkv_weight, qkv_bias).split(embed_dim, dim=-1)
        heads = [part.reshape(shape).transpose(1, 2) for part in parts]
        found = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu.default(*heads)[0]
        return functional.linear(found.transpose(1, 2).reshape(x.shape), proj_weight, proj_bias)

    def feed_forward(x: Any) -> Any:
        inner = functional.linear(x, ffn_weight_1, ffn_bias_1)
        inner = functional.gelu(inner) if use_gelu else functional.relu(inner)
        return functional.linear(inner, ffn_weight_2, ffn_bias_2)

    if norm_first:
        x = src + attention(norm_1(src))
        return x + feed_forward(norm_2(x))
    x = norm_1(src + attention(src))
    return norm_2(x + feed_forward(x))
