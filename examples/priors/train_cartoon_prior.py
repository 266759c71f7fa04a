"""Train the latent diffusion model of the built-in ``cartoon-faces`` prior, with checkpoints and resume.

A class-conditional `UNet2DModel` (v-prediction, cosine schedule, class = what is on the head, one class more for
no label) on the latents of the autoencoder that train_cartoon_autoencoder.py made. The latents are computed
first and kept in OUT/latents.safetensors. Stop it at any moment: the same command goes on, and OUT/prior always
holds the averaged weights of the last checkpoint, to be loaded as any other prior.

    python examples/priors/train_cartoon_prior.py --autoencoder cartoon-autoencoder --out cartoon-prior
"""

from __future__ import annotations

from pathlib import Path

import click
import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DModel
from safetensors.torch import load_file

from training import Trainer, v_loss
from vipaint_pyro.datasets.cartoon_faces.faces import ATTRIBUTES, cartoon_faces
from vipaint_pyro.files import replacing, write_tensors
from vipaint_pyro.images import from_bytes
from vipaint_pyro.pipelines.vipaint import VIPaintPipeline
from vipaint_pyro.priors.codecs import codec_for
from vipaint_pyro.priors.pretrained.loading import quiet_loading

NAMES = [name.lower().replace("_", " ") for name in ATTRIBUTES["top"]]
NO_LABEL = len(NAMES)


def new_unet(channels=(64, 128, 128)) -> UNet2DModel:
    return UNet2DModel(
        sample_size=16,
        in_channels=4,
        out_channels=4,
        block_out_channels=channels,
        layers_per_block=1,
        down_block_types=("DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=32,
        norm_num_groups=16,
        num_class_embeds=NO_LABEL + 1,
    )


def new_scheduler() -> DDPMScheduler:
    return DDPMScheduler(
        beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction", clip_sample=False
    )


def latents_of(vae: AutoencoderKL, images: torch.Tensor, path: Path) -> torch.Tensor:
    """The scaled posterior means of all images, from the file where it is there."""
    if path.is_file():
        return load_file(path)["latents"]
    codec, parts = codec_for(vae), []
    with torch.no_grad():
        for i, part in enumerate(images.split(100)):
            parts.append(codec.encode(from_bytes(part)))
            if i % 50 == 0:
                click.echo(f"{100 * i} latents")
    latents = torch.cat(parts)
    write_tensors(path, {"latents": latents})
    return latents


@click.command(help=__doc__)
@click.option("--autoencoder", type=click.Path(path_type=Path), required=True, help="OUT of the other script.")
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--faces", default=40000, show_default=True, help="As many as the autoencoder was trained on.")
@click.option("--steps", default=12000, show_default=True)
@click.option("--batch-size", default=64, show_default=True)
@click.option("--lr", default=1e-3, show_default=True, help="Peak; falls to zero along a cosine.")
@click.option("--ema", default=0.9995, show_default=True)
@click.option("--checkpoint-every", default=200, show_default=True)
@click.option("--stop-at", default=None, type=int, help="Stop after this many steps of --steps, to go on later.")
@click.option("--seed", default=0, show_default=True)
@click.option("--bfloat16", is_flag=True, help="Autocast: 1.6 times as fast on processors with AMX.")
@click.option("--smoke", is_flag=True, help="Three steps of a batch of four with a tiny network: does it run?")
def main(autoencoder, out, faces, steps, batch_size, lr, ema, checkpoint_every, stop_at, seed, bfloat16, smoke):
    network = (lambda: new_unet((32, 32, 32))) if smoke else new_unet
    if smoke:
        faces, steps, batch_size, checkpoint_every = 8, 3, 4, 2
    out.mkdir(parents=True, exist_ok=True)
    images, attributes = cartoon_faces("train", faces, autoencoder / "train.safetensors")
    labels = attributes[:, list(ATTRIBUTES).index("top")]
    vae = AutoencoderKL.from_pretrained(autoencoder / "vae", **quiet_loading({})).float().eval()
    latents = latents_of(vae, images, out / "latents.safetensors")
    torch.manual_seed(seed)
    unet, scheduler = network(), new_scheduler()
    trainer = Trainer(unet, out, steps, lr, ema, seed)

    def loss():
        i = torch.randint(len(latents), (batch_size,), generator=trainer.generator)
        dropped = torch.rand(batch_size, generator=trainer.generator) < 0.3
        c = torch.where(dropped, NO_LABEL, labels[i])

        def predict(z, t):
            with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
                return unet(z, t, class_labels=c).sample.float()

        return v_loss(predict, scheduler, latents[i], trainer.generator)

    def release():
        averaged = network()
        averaged.load_state_dict(trainer.average)
        pipe = VIPaintPipeline(
            averaged.half(), new_scheduler(), vae=vae.half(), null_class=NO_LABEL, class_names=NAMES
        )
        with replacing(out / "prior") as folder:
            pipe.save_pretrained(folder)
        vae.float()

    trainer.run(loss, release, checkpoint_every, stop_at)
    assert all(map(torch.isfinite, torch.tensor(trainer.losses)))


if __name__ == "__main__":
    main()
