"""A U-Net laid out for rendering on a CPU: the same function of the same weights, in less time.

Time is the innermost axis inside, since the few frequency cells of the coarse levels fill no vector.
An upsampling and the convolution after it are one transposed convolution with 16 taps in place of 36.
Linear layers run on weights that oneDNN has put into its own order, with what follows them fused in.

B batch, C latent channels, H latent time, W latent frequency, E embedding, N tokens.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.models.blocks import attend, from_tokens, to_tokens
from engine.models.unet import (
    Downsample,
    GatedProjection,
    SelfAttention,
    SpatialTransformer,
    TransformerBlock,
    UNet,
    Upsample,
)

Fingerprint = tuple[tuple[int, int], ...]


class PackedUNet(nn.Module):
    """Predict the noise as the U-Net does that it was packed from; for inference only."""

    def __init__(self, unet: UNet) -> None:
        super().__init__()
        self.inner = _twin(unet)
        self.fingerprint = fingerprint(unet)

    def forward(self, x_BCHW: Tensor, t_B: Tensor, condition_BE: Tensor) -> Tensor:
        x_BCWH = x_BCHW.transpose(2, 3).contiguous()
        return self.inner(x_BCWH, t_B, condition_BE).transpose(2, 3)


_PACKED: WeakKeyDictionary[UNet, PackedUNet] = WeakKeyDictionary()


def packed(unet: UNet) -> nn.Module:
    """Return the network packed, once for as long as its weights stay; itself where packing cannot help.

    The packed network takes memory for its linear layers again. The convolutions share theirs: their
    weights keep values and shape, but lie with time innermost from now on.
    """
    if not can_pack(unet):
        return unet
    known = _PACKED.get(unet)
    if known is None or known.fingerprint != fingerprint(unet):
        with torch.inference_mode(mode=False), torch.no_grad():
            known = _PACKED[unet] = PackedUNet(unet).eval()
    return known


def can_pack(unet: UNet) -> bool:
    """Tell whether a network is in float32 on a CPU whose torch has oneDNN with packed layers.

    Weights made in inference mode do not count how often they are written to, so they stay as they are.
    """
    plain = all(
        p.device.type == "cpu" and p.dtype == torch.float32 and not p.is_inference()
        for p in unet.parameters()
    )
    return plain and torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def fingerprint(unet: UNet) -> Fingerprint:
    """Return what changes with the weights: where they are, and how often they were written to."""
    return tuple((p.data_ptr(), p._version) for p in unet.parameters())  # noqa: SLF001 - no public name


class PackedLinear:
    """A linear layer in oneDNN's order; each method fuses what follows it."""

    def __init__(self, weight_OE: Tensor, bias_O: Tensor | None) -> None:
        reorder = torch.ops.mkldnn._reorder_linear_weight  # noqa: SLF001 - it has no public name
        self.weight = reorder(weight_OE.contiguous(), None)
        self.bias_O = bias_O

    @classmethod
    def of(cls, layer: nn.Module) -> PackedLinear:
        assert isinstance(layer, nn.Linear)
        return cls(layer.weight, layer.bias)

    @classmethod
    def of_conv1(cls, layer: nn.Conv2d) -> PackedLinear:
        return cls(layer.weight[:, :, 0, 0], layer.bias)

    def __call__(self, x_BNE: Tensor, then: str = "none") -> Tensor:
        fused = torch.ops.mkldnn._linear_pointwise  # noqa: SLF001 - it has no public name
        return fused(x_BNE, self.weight, self.bias_O, then, [], "none")

    def plus(self, x_BNE: Tensor, other_BNO: Tensor) -> Tensor:
        return self._with(x_BNE, other_BNO, "add")

    def times(self, x_BNE: Tensor, other_BNO: Tensor) -> Tensor:
        return self._with(x_BNE, other_BNO, "mul")

    def _with(self, x_BNE: Tensor, other_BNO: Tensor, operation: str) -> Tensor:
        fused = torch.ops.mkldnn._linear_pointwise.binary  # noqa: SLF001 - it has no public name
        return fused(x_BNE, other_BNO, self.weight, self.bias_O, operation)


class PackedSelfAttention(nn.Module):
    def __init__(self, layer: SelfAttention) -> None:
        super().__init__()
        self.heads = layer.heads
        joined = torch.cat([layer.to_q.weight, layer.to_k.weight, layer.to_v.weight])
        self.to_qkv = PackedLinear(joined, None)
        self.to_out = PackedLinear.of(layer.to_out[0])

    def forward(self, x_BNE: Tensor, residual_BNE: Tensor) -> Tensor:
        query_BNE, key_BNE, value_BNE = self.to_qkv(x_BNE).chunk(3, dim=-1)
        return self.to_out.plus(attend(query_BNE, key_BNE, value_BNE, self.heads), residual_BNE)


class PackedTransformerBlock(nn.Module):
    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        assert isinstance(block, TransformerBlock)
        self.norm1, self.norm2, self.norm3 = block.norm1, block.norm2, block.norm3
        self.attn1, self.attn2 = PackedSelfAttention(block.attn1), PackedSelfAttention(block.attn2)
        gated, _, last = block.ff.net
        assert isinstance(gated, GatedProjection)
        value_OE, gate_OE = gated.proj.weight.chunk(2)
        value_O, gate_O = gated.proj.bias.chunk(2)
        self.value, self.gate = PackedLinear(value_OE, value_O), PackedLinear(gate_OE, gate_O)
        self.last = PackedLinear.of(last)

    def forward(self, x_BNE: Tensor) -> Tensor:
        x_BNE = self.attn1(self.norm1(x_BNE), x_BNE)
        x_BNE = self.attn2(self.norm2(x_BNE), x_BNE)
        normed_BNE = self.norm3(x_BNE)
        hidden_BNE = self.value.times(normed_BNE, self.gate(normed_BNE, then="gelu"))
        return self.last.plus(hidden_BNE, x_BNE)


class PackedSpatialTransformer(nn.Module):
    def __init__(self, layer: SpatialTransformer) -> None:
        super().__init__()
        self.norm = layer.norm
        self.proj_in, self.proj_out = (
            PackedLinear.of_conv1(layer.proj_in),
            PackedLinear.of_conv1(layer.proj_out),
        )
        self.blocks = nn.Sequential(*(PackedTransformerBlock(block) for block in layer.transformer_blocks))

    def forward(self, x_BCWH: Tensor) -> Tensor:
        # Attention does not know the order of its tokens, so frequency may come first.
        tokens_BNE = self.blocks(self.proj_in(to_tokens(self.norm(x_BCWH)).contiguous()))
        return x_BCWH + from_tokens(self.proj_out(tokens_BNE), *x_BCWH.shape[2:])


class SwappedConv3(nn.Module):
    """A 3x3 convolution over (B, C, W, H)."""

    def __init__(self, layer: nn.Conv2d) -> None:
        super().__init__()
        self.weight = _time_innermost(layer)
        self.bias = layer.bias
        self.stride = layer.stride

    def forward(self, x_BCWH: Tensor) -> Tensor:
        return F.conv2d(x_BCWH, self.weight, self.bias, self.stride, padding=1)


class SwappedUpsample(Upsample):
    """Twice the size and a convolution at once.

    Each output cell sees the same coarse cell under several taps, so that their weights add up: the
    sum of the kernel shifted by 0 and 1 along both axes is a kernel of 4x4 at a stride of 2.
    """

    def __init__(self, layer: Upsample) -> None:
        nn.Module.__init__(self)  # without a convolution of its own
        self.swapped = SwappedConv3(layer.conv)
        flipped = self.swapped.weight.flip(2, 3)
        shifts = [F.pad(flipped, (right, 1 - right, down, 1 - down)) for right in (0, 1) for down in (0, 1)]
        self.doubling = sum(shifts[1:], shifts[0]).transpose(0, 1).contiguous()

    def forward(self, x_BCWH: Tensor, size: torch.Size) -> Tensor:
        if any(fine != 2 * coarse for fine, coarse in zip(size, x_BCWH.shape[2:], strict=True)):
            return self.swapped(F.interpolate(x_BCWH, size=size, mode="nearest"))
        return F.conv_transpose2d(x_BCWH, self.doubling, self.swapped.bias, stride=2, padding=1)


def _time_innermost(layer: nn.Conv2d) -> Tensor:
    """Return the weights as (O, C, W, H), after giving that order to the layer's own memory."""
    if not layer.weight.transpose(2, 3).is_contiguous():
        layer.weight.data = layer.weight.data.transpose(2, 3).contiguous().transpose(2, 3)
    return layer.weight.detach().transpose(2, 3)


def _twin(unet: UNet) -> nn.Module:
    """Return the network with its layers replaced, sharing all that it does not replace."""
    shared = {id(tensor): tensor for tensor in (*unet.parameters(), *unet.buffers())}
    twin = copy.deepcopy(unet, shared)
    for name, layer in list(twin.named_modules()):
        make = _replacement(layer)
        if make is not None:
            twin.set_submodule(name, make())
    return twin


def _replacement(layer: nn.Module) -> Callable[[], nn.Module] | None:
    if isinstance(layer, SpatialTransformer):
        return partial(PackedSpatialTransformer, layer)
    if isinstance(layer, Upsample):
        return partial(SwappedUpsample, layer)
    if isinstance(layer, Downsample):
        return partial(SwappedConv3, layer.op)
    if isinstance(layer, nn.Conv2d) and layer.kernel_size == (3, 3):
        return partial(SwappedConv3, layer)
    return None
