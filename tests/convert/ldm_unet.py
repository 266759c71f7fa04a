"""Latent diffusion's UNet, written anew from the paper and the published configs, with the original's names.

Rombach et al. (arXiv:2112.10752), whose UNet is that of Dhariwal and Nichol (arXiv:2105.05233). Nothing of
diffusers is used here: the conversions are compared with it.
"""

import torch
from torch import nn
from torch.nn.functional import avg_pool2d, interpolate

from tests.convert.ldm_attention import AttentionBlock, SpatialTransformer


def sinusoids(t, width):
    half = width // 2
    angles = t.float()[:, None] * 10000 ** (-torch.arange(half) / half)
    return torch.cat([angles.cos(), angles.sin()], 1)


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
