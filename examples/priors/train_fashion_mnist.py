"""Train the built-in ``fashion-mnist`` prior from the data, with checkpoints and resume.

A class-conditional `UNet2DModel` (v-prediction, cosine schedule, class 10 = no label) on the
60,000 training images. Stop it at any moment: the same command goes on where the last
checkpoint was written, and ``OUT/unet``, ``OUT/scheduler`` always hold the averaged weights of
that checkpoint in diffusers format.

    python examples/priors/train_fashion_mnist.py --out fashion-mnist-prior --steps 8000
    python examples/priors/train_fashion_mnist.py --out finer --init fashion-mnist-prior --steps 2000 --lr 4e-4
"""

from __future__ import annotations

import json
from pathlib import Path

import click
import torch
from diffusers import DDPMScheduler, UNet2DModel

from training import Trainer, v_loss
from vipaint_pyro.datasets.fashion_mnist import FASHION_MNIST_FOLDER, fashion_mnist
from vipaint_pyro.files import replacing, write_text
from vipaint_pyro.priors.pretrained.loading import quiet_loading

NO_LABEL = 10
SHOES = torch.tensor([5, 7, 9])  # sandal, sneaker, ankle boot: all point the same way, never flipped


def new_unet() -> UNet2DModel:
    return UNet2DModel(
        sample_size=28,
        in_channels=1,
        out_channels=1,
        block_out_channels=(32, 64, 96),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
        attention_head_dim=32,
        norm_num_groups=8,
        num_class_embeds=11,
    )


def new_scheduler() -> DDPMScheduler:
    return DDPMScheduler(
        beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction", clip_sample=False
    )


def batch(images, labels, size, generator):
    """Random images, flipped unless shoes, with 15 % of the labels dropped."""
    index = torch.randint(len(images), (size,), generator=generator)
    x, c = images[index], labels[index]
    flip = (torch.rand(size, generator=generator) < 0.5) & ~torch.isin(c, SHOES)
    x = torch.where(flip[:, None, None, None], x.flip(-1), x)
    c = torch.where(torch.rand(size, generator=generator) < 0.15, NO_LABEL, c)
    return x, c


@click.command(help=__doc__)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--data", default=str(FASHION_MNIST_FOLDER), show_default=True)
@click.option("--init", default=None, help="A prior folder to start from instead of random weights.")
@click.option("--steps", default=8000, show_default=True)
@click.option("--batch-size", default=64, show_default=True)
@click.option("--lr", default=1e-3, show_default=True, help="Peak; falls to zero along a cosine.")
@click.option("--ema", default=0.999, show_default=True)
@click.option("--checkpoint-every", default=100, show_default=True)
@click.option("--stop-at", default=None, type=int, help="Stop after this many steps of --steps, to go on later.")
@click.option("--seed", default=0, show_default=True)
@click.option("--smoke", is_flag=True, help="Three steps of a batch of four: does it run?")
def main(out, data, init, steps, batch_size, lr, ema, checkpoint_every, stop_at, seed, smoke):
    if smoke:
        steps, batch_size, checkpoint_every = 3, 4, 2
    out.mkdir(parents=True, exist_ok=True)
    images, labels = fashion_mnist("train", data)
    torch.manual_seed(seed)
    unet = UNet2DModel.from_pretrained(Path(init) / "unet", **quiet_loading({})).float() if init else new_unet()
    scheduler = new_scheduler()
    trainer = Trainer(unet, out, steps, lr, ema, seed, from_nothing=init is None)

    def loss():
        x, c = batch(images, labels, batch_size, trainer.generator)
        return v_loss(lambda z, t: unet(z, t, class_labels=c).sample, scheduler, x, trainer.generator)

    def release():
        released = new_unet()
        released.load_state_dict(trainer.average)
        for name, part in {"unet": released.half(), "scheduler": scheduler}.items():
            with replacing(out / name) as folder:
                part.save_pretrained(folder)
        write_text(out / "losses.json", json.dumps(trainer.losses))

    trainer.run(loss, release, checkpoint_every, stop_at)
    assert torch.isfinite(torch.tensor(trainer.losses)).all()


if __name__ == "__main__":
    main()
