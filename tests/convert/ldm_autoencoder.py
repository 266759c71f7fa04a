"""Latent diffusion's autoencoders, written anew from the published configs, with the original's names.

Rombach et al. (arXiv:2112.10752) and Esser et al. (arXiv:2012.09841). Nothing of diffusers is used here.
"""

from torch import nn
from torch.nn.functional import interpolate, pad, silu

from tests.convert.ldm_attention import attend


def norm(width):
    return nn.GroupNorm(32, width, eps=1e-6)


class Residual(nn.Module):
    def __init__(self, given, wanted):
        super().__init__()
        self.norm1, self.conv1 = norm(given), nn.Conv2d(given, wanted, 3, padding=1)
        self.norm2, self.conv2 = norm(wanted), nn.Conv2d(wanted, wanted, 3, padding=1)
        if given != wanted:
            self.nin_shortcut = nn.Conv2d(given, wanted, 1)

    def forward(self, x):
        h = self.conv2(silu(self.norm2(self.conv1(silu(self.norm1(x))))))
        return h + (self.nin_shortcut(x) if hasattr(self, "nin_shortcut") else x)


class Attention(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = norm(width)
        self.q, self.k, self.v, self.proj_out = (nn.Conv2d(width, width, 1) for _ in range(4))

    def forward(self, x):
        h = self.norm(x)
        q, k, v = (conv(h).flatten(2).mT for conv in (self.q, self.k, self.v))
        return x + self.proj_out(attend(q, k, v, heads=1).mT.reshape_as(x))


class Resampled(nn.Module):
    def __init__(self, width, way):
        super().__init__()
        self.way = way
        self.conv = nn.Conv2d(width, width, 3, **({"stride": 2} if way == "down" else {"padding": 1}))

    def forward(self, x):
        return self.conv(pad(x, (0, 1, 0, 1)) if self.way == "down" else interpolate(x, scale_factor=2))


def level(widths, way, resampled):
    module = nn.Module()
    module.block = nn.ModuleList(Residual(a, b) for a, b in zip(widths, widths[1:]))
    module.attn = nn.ModuleList()
    if resampled:
        setattr(module, f"{way}sample", Resampled(widths[-1], way))
    return module


def middle(width):
    module = nn.Module()
    module.block_1, module.attn_1, module.block_2 = Residual(width, width), Attention(width), Residual(width, width)
    return module


def run_middle(mid, x):
    return mid.block_2(mid.attn_1(mid.block_1(x)))


class Encoder(nn.Module):
    def __init__(self, widths, layers, out):
        super().__init__()
        self.conv_in = nn.Conv2d(3, widths[0], 3, padding=1)
        before = (widths[0], *widths)
        self.down = nn.ModuleList(
            level([before[i], *[w] * layers], "down", i < len(widths) - 1) for i, w in enumerate(widths)
        )
        self.mid = middle(widths[-1])
        self.norm_out, self.conv_out = norm(widths[-1]), nn.Conv2d(widths[-1], out, 3, padding=1)

    def forward(self, x):
        x = self.conv_in(x)
        for down in self.down:
            for block in down.block:
                x = block(x)
            x = down.downsample(x) if hasattr(down, "downsample") else x
        return self.conv_out(silu(self.norm_out(run_middle(self.mid, x))))


class Decoder(nn.Module):
    def __init__(self, widths, layers, given):
        super().__init__()
        self.conv_in, self.mid = nn.Conv2d(given, widths[-1], 3, padding=1), middle(widths[-1])
        before = (*widths[1:], widths[-1])
        self.up = nn.ModuleList(level([before[i], *[w] * (layers + 1)], "up", i > 0) for i, w in enumerate(widths))
        self.norm_out, self.conv_out = norm(widths[0]), nn.Conv2d(widths[0], 3, 3, padding=1)

    def forward(self, z):
        x = run_middle(self.mid, self.conv_in(z))
        for up in reversed(self.up):
            for block in up.block:
                x = block(x)
            x = up.upsample(x) if hasattr(up, "upsample") else x
        return self.conv_out(silu(self.norm_out(x)))


class KL(nn.Module):
    def __init__(self, widths, layers, latent):
        super().__init__()
        self.encoder, self.decoder = Encoder(widths, layers, 2 * latent), Decoder(widths, layers, latent)
        self.quant_conv, self.post_quant_conv = nn.Conv2d(2 * latent, 2 * latent, 1), nn.Conv2d(latent, latent, 1)

    def moments(self, x):
        """Mean and log variance of q(z | x)."""
        return self.quant_conv(self.encoder(x)).chunk(2, 1)

    def decode(self, z):
        return self.decoder(self.post_quant_conv(z))


class VQ(nn.Module):
    def __init__(self, widths, layers, latent, codes):
        super().__init__()
        self.encoder, self.decoder = Encoder(widths, layers, latent), Decoder(widths, layers, latent)
        self.quantize = nn.Module()
        self.quantize.embedding = nn.Embedding(codes, latent)
        self.quant_conv, self.post_quant_conv = nn.Conv2d(latent, latent, 1), nn.Conv2d(latent, latent, 1)

    def encode(self, x):
        """The latent that diffusion sees: before the quantisation."""
        return self.quant_conv(self.encoder(x))

    def decode(self, z):
        codes = self.quantize.embedding.weight
        nearest = (z.movedim(1, -1)[..., None, :] - codes).square().sum(-1).argmin(-1)
        return self.decoder(self.post_quant_conv(codes[nearest].movedim(-1, 1)))
