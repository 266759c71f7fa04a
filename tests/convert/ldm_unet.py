"""Latent diffusion's UNet, written anew from the paper and the published configs, with the original's names.

Rombach et al. (arXiv:2112.10752), whose UNet is that of Dhariwal and Nichol (arXiv:2105.05233). Nothing of
diffusers is used here: the conversions are compared with it.
"""

import math

import torch
from torch import nn
from torch.nn.functional import avg_pool2d, gelu, interpolate


def sinusoids(t, width):
    half = width // 2
    angles = t.float()[:, None] * 10000 ** (-torch.arange(half) / half)
    return torch.cat([angles.cos(), angles.sin()], 1)


def attend(q, k, v, heads):
    """Scaled dot products over (B, tokens, width), head by head."""
    q, k, v = (x.unflatten(2, (heads, -1)).transpose(1, 2) for x in (q, k, v))
    weights = (q @ k.mT / math.sqrt(q.shape[-1])).softmax(-1)
    return (weights @ v).transpose(1, 2).flatten(2)


class ResBlock(nn.Module):
    def __init__(self, given, wanted, emb, scale_shift, resample=None):
        super().__init__()
        self.scale_shift, self.resample = scale_shift, resample
        self.in_layers = nn.Sequential(nn.GroupNorm(32, given), nn.SiLU(), nn.Conv2d(given, wanted, 3, padding=1))
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(emb, wanted * (2 if scale_shift else 1)))
        self.out_layers = nn.Sequential(
            nn.GroupNorm(32, wanted), nn.SiLU(), nn.Dropout(0), nn.Conv2d(wanted, wanted, 3, padding=1)
        )
        self.skip_connection = nn.Identity() if given == wanted else nn.Conv2d(given, wanted, 1)

    def forward(self, x, emb):
        norm, act, conv = self.in_layers
        h = act(norm(x))
        if self.resample == "down":
            h, x = avg_pool2d(h, 2), avg_pool2d(x, 2)
        elif self.resample == "up":
            h, x = interpolate(h, scale_factor=2), interpolate(x, scale_factor=2)
        h, e = conv(h), self.emb_layers(emb)[:, :, None, None]
        norm, *rest = self.out_layers
        if self.scale_shift:
            scale, shift = e.chunk(2, 1)
            h = norm(h) * (1 + scale) + shift
        else:
            h = norm(h + e)
        for layer in rest:
            h = layer(h)
        return self.skip_connection(x) + h


class AttentionBlock(nn.Module):
    """The rows of qkv are head by head: q, k and v of the first head, then of the second ..."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.norm = heads, nn.GroupNorm(32, width)
        self.qkv, self.proj_out = nn.Conv1d(width, 3 * width, 1), nn.Conv1d(width, width, 1)

    def forward(self, x):
        tokens = x.flatten(2)
        by_head = self.qkv(self.norm(tokens)).unflatten(1, (self.heads, 3, -1))
        q, k, v = (by_head[:, :, i].flatten(1, 2).mT for i in range(3))
        return (tokens + self.proj_out(attend(q, k, v, self.heads).mT)).view_as(x)


class CrossAttention(nn.Module):
    def __init__(self, width, context, heads):
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_k, self.to_v = nn.Linear(context, width, bias=False), nn.Linear(context, width, bias=False)
        self.to_out = nn.Sequential(nn.Linear(width, width), nn.Dropout(0))

    def forward(self, x, context):
        return self.to_out(attend(self.to_q(x), self.to_k(context), self.to_v(context), self.heads))


class GatedGELU(nn.Module):
    def __init__(self, width, inner):
        super().__init__()
        self.proj = nn.Linear(width, 2 * inner)

    def forward(self, x):
        value, gate = self.proj(x).chunk(2, -1)
        return value * gelu(gate)


class FeedForward(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.net = nn.Sequential(GatedGELU(width, 4 * width), nn.Dropout(0), nn.Linear(4 * width, width))

    def forward(self, x):
        return self.net(x)


class Transformer(nn.Module):
    def __init__(self, width, context, heads):
        super().__init__()
        self.attn1, self.attn2 = CrossAttention(width, width, heads), CrossAttention(width, context, heads)
        self.ff = FeedForward(width)
        self.norm1, self.norm2, self.norm3 = nn.LayerNorm(width), nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, x, context):
        h = self.norm1(x)
        x = x + self.attn1(h, h)
        x = x + self.attn2(self.norm2(x), context)
        return x + self.ff(self.norm3(x))


class SpatialTransformer(nn.Module):
    def __init__(self, width, context, heads):
        super().__init__()
        self.norm = nn.GroupNorm(32, width, eps=1e-6)
        self.proj_in, self.proj_out = nn.Conv2d(width, width, 1), nn.Conv2d(width, width, 1)
        self.transformer_blocks = nn.ModuleList([Transformer(width, context, heads)])

    def forward(self, x, context):
        h = self.proj_in(self.norm(x)).flatten(2).mT
        for block in self.transformer_blocks:
            h = block(h, context)
        return x + self.proj_out(h.mT.reshape_as(x))


class Downsample(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.op = nn.Conv2d(width, width, 3, stride=2, padding=1)

    def forward(self, x):
        return self.op(x)


class Upsample(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x):
        return self.conv(interpolate(x, scale_factor=2))


class Stack(nn.Sequential):
    def forward(self, x, emb, context):
        for layer in self:
            if isinstance(layer, ResBlock):
                x = layer(x, emb)
            elif isinstance(layer, SpatialTransformer):
                x = layer(x, context)
            else:
                x = layer(x)
        return x


class UNet(nn.Module):
    """``levels`` are (width, whether it attends), from the finest; with ``context`` the attention is crossed."""

    def __init__(self, channels, levels, layers, heads, context=None, scale_shift=False, resblock_updown=False):
        super().__init__()
        base, emb = levels[0][0], 4 * levels[0][0]
        self.base = base

        def attention(width):
            return SpatialTransformer(width, context, heads) if context else AttentionBlock(width, heads)

        def resampler(width, way):
            if resblock_updown:
                return ResBlock(width, width, emb, scale_shift, way)
            return Downsample(width) if way == "down" else Upsample(width)

        self.time_embed = nn.Sequential(nn.Linear(base, emb), nn.SiLU(), nn.Linear(emb, emb))
        self.input_blocks = nn.ModuleList([Stack(nn.Conv2d(channels, base, 3, padding=1))])
        now, skips = base, [base]
        for level, (width, attends) in enumerate(levels):
            for _ in range(layers):
                stack = [ResBlock(now, width, emb, scale_shift)] + [attention(width)] * attends
                self.input_blocks.append(Stack(*stack))
                now = width
                skips.append(now)
            if level < len(levels) - 1:
                self.input_blocks.append(Stack(resampler(now, "down")))
                skips.append(now)
        middle = [ResBlock(now, now, emb, scale_shift) for _ in range(2)]
        self.middle_block = Stack(middle[0], attention(now), middle[1])
        self.output_blocks = nn.ModuleList()
        for level, (width, attends) in reversed(list(enumerate(levels))):
            for layer in range(layers + 1):
                stack = [ResBlock(now + skips.pop(), width, emb, scale_shift)] + [attention(width)] * attends
                now = width
                if level and layer == layers:
                    stack.append(resampler(now, "up"))
                self.output_blocks.append(Stack(*stack))
        self.out = nn.Sequential(nn.GroupNorm(32, now), nn.SiLU(), nn.Conv2d(now, channels, 3, padding=1))

    def forward(self, x, t, context=None):
        emb, skips = self.time_embed(sinusoids(t, self.base)), []
        for block in self.input_blocks:
            x = block(x, emb, context)
            skips.append(x)
        x = self.middle_block(x, emb, context)
        for block in self.output_blocks:
            x = block(torch.cat([x, skips.pop()], 1), emb, context)
        return self.out(x)
