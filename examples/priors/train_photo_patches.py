"""Train the ``photo-patches`` prior on patches of free photographs, with checkpoints and resume.

A `UNet2DModel` of 64 x 64 colour pixels (v-prediction, cosine schedule). Its class is the share of the photograph that
a patch spans, since a leaf from near and a forest from afar differ; one class more says nothing. The photographs
come from Debian packages (photographs.csv) and are kept in DATA. Stop it at any moment: the same command goes
on, and OUT/prior always holds the averaged weights of the last checkpoint. With other --steps the rate of a resumed
training falls to zero there.

    python examples/priors/train_photo_patches.py --data photographs --out photo-prior
"""

from __future__ import annotations

from pathlib import Path

import click
import torch
from diffusers import DDPMScheduler, UNet2DModel

from photographs import SIDE, Patches, all_scales
from training import Trainer, v_loss
from vipaint_pyro.datasets.shares import SHARES
from vipaint_pyro.pipelines.vipaint import VIPaintPipeline

NO_LABEL = len(SHARES)


def new_unet(channels=(32, 32, 64, 128, 128)) -> UNet2DModel:
    attention = [False, False, False, True, False]
    return UNet2DModel(
        sample_size=SIDE,
        in_channels=3,
        out_channels=3,
        block_out_channels=channels,
        layers_per_block=1,
        down_block_types=["AttnDownBlock2D" if a else "DownBlock2D" for a in attention],
        up_block_types=["AttnUpBlock2D" if a else "UpBlock2D" for a in reversed(attention)],
        attention_head_dim=32,
        norm_num_groups=16,
        num_class_embeds=NO_LABEL + 1,
    )


def new_scheduler() -> DDPMScheduler:
    return DDPMScheduler(beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction", clip_sample=False)


def evenly(snr: torch.Tensor) -> torch.Tensor:
    """Weights of the v loss with which all noise levels count about alike: sigma_t.

    What is left of a photograph's error falls about like the noise's standard deviation; min-SNR-5 leaves both ends
    of the schedule to chance in a training as short as this one.
    """
    return (1 + snr).rsqrt()


@click.command(help=__doc__)
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Where the photographs are kept.")
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--steps", default=20000, show_default=True)
@click.option("--batch-size", default=16, show_default=True)
@click.option("--lr", default=8e-4, show_default=True, help="Peak; falls to zero along a cosine.")
@click.option("--ema", default=0.999, show_default=True)
@click.option("--checkpoint-every", default=200, show_default=True)
@click.option("--stop-at", default=None, type=int, help="Stop after this many steps of --steps, to go on later.")
@click.option("--seed", default=0, show_default=True)
@click.option("--bfloat16", is_flag=True, help="Autocast: 1.6 times as fast on processors with AVX512-BF16.")
@click.option("--smoke", is_flag=True, help="Three steps of a batch of four with a tiny network: does it run?")
def main(data, out, steps, batch_size, lr, ema, checkpoint_every, stop_at, seed, bfloat16, smoke):
    network = (lambda: new_unet((16, 16, 16, 32, 32))) if smoke else new_unet
    if smoke:
        steps, batch_size, checkpoint_every = 3, 4, 2
    patches = Patches(all_scales("train", data))
    torch.manual_seed(seed)
    unet, scheduler = network(), new_scheduler()
    trainer = Trainer(unet, out, steps, lr, ema, seed)

    def loss():
        x, c = patches.draw(batch_size, trainer.generator)
        c = torch.where(torch.rand(batch_size, generator=trainer.generator) < 0.3, NO_LABEL, c)

        def predict(z, t):
            with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
                return unet(z, t, class_labels=c).sample.float()

        return v_loss(predict, scheduler, x, trainer.generator, evenly)

    def release():
        averaged = network()
        averaged.load_state_dict(trainer.average)
        names = [*SHARES]
        VIPaintPipeline(averaged.half(), new_scheduler(), null_class=NO_LABEL, class_names=names).save_pretrained(
            out / "prior"
        )

    trainer.run(loss, release, checkpoint_every, stop_at)
    assert torch.isfinite(torch.tensor(trainer.losses)).all()


if __name__ == "__main__":
    main()
