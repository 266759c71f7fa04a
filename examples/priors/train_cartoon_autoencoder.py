"""Train the autoencoder of the built-in ``cartoon-faces`` prior from nothing, with checkpoints and resume.

An `AutoencoderKL` from 64x64 colour faces to 4x16x16 latents; loss = L1 + LPIPS (AlexNet) + a small KL. The
faces are drawn first (about 5 ms each) and kept in OUT/train.safetensors. Stop it at any moment: the same command
goes on, and OUT/vae always holds the averaged weights of the last checkpoint in diffusers format.

    python examples/priors/train_cartoon_autoencoder.py --out cartoon-autoencoder
"""

from __future__ import annotations

from pathlib import Path

import click
import torch
from diffusers import AutoencoderKL

from training import Trainer
from vipaint_pyro.datasets.cartoon_faces.faces import cartoon_faces
from vipaint_pyro.files import replacing
from vipaint_pyro.images import from_bytes
from vipaint_pyro.measurements.lpips import LPIPS


def new_autoencoder() -> AutoencoderKL:
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(32, 64, 64),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=64,
        scaling_factor=1.0,
    )


def standardise(vae: AutoencoderKL, images: torch.Tensor) -> None:
    """Give every latent channel mean 0 and standard deviation 1, without changing what is decoded.

    The affine map goes into the 1x1 convolution behind the encoder, its inverse into the one before the
    decoder, so that scaling_factor is 1.
    """
    with torch.no_grad():
        x = from_bytes(images[:500])
        z = torch.cat([vae.encode(part).latent_dist.mean for part in x.split(50)])
        mean, std = z.mean((0, 2, 3)), z.std((0, 2, 3))
        after, before = vae.quant_conv, vae.post_quant_conv
        c = len(mean)  # the first c channels are the means, the others log variances
        after.weight[:c] /= std[:, None, None, None]
        after.bias[:c] = (after.bias[:c] - mean) / std
        after.bias[c:] -= 2 * std.log()
        before.bias += before.weight[:, :, 0, 0] @ mean
        before.weight *= std[:, None, None]


@click.command(help=__doc__)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--faces", default=40000, show_default=True, help="How many faces to draw for training.")
@click.option("--steps", default=8000, show_default=True)
@click.option("--batch-size", default=16, show_default=True)
@click.option("--lr", default=1e-3, show_default=True, help="Peak; falls to zero along a cosine.")
@click.option("--perceptual", default=0.5, show_default=True, help="Weight of LPIPS beside the mean L1.")
@click.option("--kl", default=1e-4, show_default=True, help="Weight of the KL, per latent entry.")
@click.option("--checkpoint-every", default=100, show_default=True)
@click.option("--stop-at", default=None, type=int, help="Stop after this many steps of --steps, to go on later.")
@click.option("--seed", default=0, show_default=True)
@click.option("--bfloat16", is_flag=True, help="Autocast: twice as fast on processors with AMX.")
@click.option("--smoke", is_flag=True, help="Three steps of a batch of two: does it run?")
def main(out, faces, steps, batch_size, lr, perceptual, kl, checkpoint_every, stop_at, seed, bfloat16, smoke):
    if smoke:
        faces, steps, batch_size, checkpoint_every = 8, 3, 2, 2
    out.mkdir(parents=True, exist_ok=True)
    images, _ = cartoon_faces("train", faces, out / "train.safetensors", lambda n: click.echo(f"{n} faces"))
    torch.manual_seed(seed)
    vae, lpips = new_autoencoder(), LPIPS("alex")
    trainer = Trainer(vae, out, steps, lr, seed=seed)

    def loss():
        x = from_bytes(images[torch.randint(len(images), (batch_size,), generator=trainer.generator)])
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            q = vae.encode(x).latent_dist
            mean, std = q.mean.float(), q.std.float()
            z = mean + std * torch.randn(mean.shape, generator=trainer.generator)
            y = vae.decode(z).sample.float()
            distance = lpips(y, x).float().mean()
        nats = 0.5 * (mean.pow(2) + std.pow(2) - 1) - std.log()
        return (y - x).abs().mean() + perceptual * distance + kl * nats.mean()

    def release():
        released = new_autoencoder()
        released.load_state_dict(trainer.average)
        standardise(released, images)
        with replacing(out / "vae") as folder:
            released.half().save_pretrained(folder)

    trainer.run(loss, release, checkpoint_every, stop_at)
    assert all(map(torch.isfinite, torch.tensor(trainer.losses)))


if __name__ == "__main__":
    main()
