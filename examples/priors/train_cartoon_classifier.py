"""Train the classifier that reads the attributes off cartoon faces; it measures completions, it makes none.

Completions have come through the autoencoder: half of what it is trained on has, too, more or less, so that a
moustache that has grown faint on the way is read as one.

    python examples/priors/train_cartoon_classifier.py --autoencoder cartoon-autoencoder --out classifier
"""

from __future__ import annotations

from pathlib import Path

import click
import torch
from diffusers import AutoencoderKL

from training import Trainer
from vipaint_pyro.datasets.cartoon_faces.classifier import FaceClassifier
from vipaint_pyro.datasets.cartoon_faces.faces import ATTRIBUTES, cartoon_faces, shows
from vipaint_pyro.files import write_tensors
from vipaint_pyro.images import from_bytes, to_bytes
from vipaint_pyro.priors.codecs import codec_for
from vipaint_pyro.priors.pretrained.loading import quiet_loading


@torch.no_grad()
def rebuilt(codec, images: torch.Tensor) -> torch.Tensor:
    """What the autoencoder makes of pictures, uint8 as they are."""
    parts = []
    for i, part in enumerate(images.split(100)):
        parts.append(to_bytes(codec.decode(codec.encode(from_bytes(part)))))
        if i % 10 == 0:
            click.echo(f"{100 * i} faces rebuilt")
    return torch.cat(parts)


@click.command(help=__doc__)
@click.option("--autoencoder", type=click.Path(path_type=Path), required=True, help="OUT of the other script.")
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--faces", default=40000, show_default=True, help="As many as the autoencoder was trained on.")
@click.option("--rebuild", default=5000, show_default=True, help="How many of them to pass through the autoencoder.")
@click.option("--steps", default=1500, show_default=True)
@click.option("--batch-size", default=128, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--smoke", is_flag=True, help="Three steps of a batch of four: does it run?")
def main(autoencoder, out, faces, rebuild, steps, batch_size, seed, smoke):
    if smoke:
        faces, rebuild, steps, batch_size = 8, 4, 3, 4
    images, attributes = cartoon_faces("train", faces, autoencoder / "train.safetensors")
    codec = codec_for(AutoencoderKL.from_pretrained(autoencoder / "vae", **quiet_loading({})).float())
    faint = rebuilt(codec, images[:rebuild])
    seen = shows(attributes)
    torch.manual_seed(seed)
    network = FaceClassifier()
    trainer = Trainer(network, out, steps, lr=2e-3, ema=0.99, seed=seed)

    def loss():
        """Cross-entropy of what shows; noise and blur stand for what completions do to edges."""
        dice = trainer.generator
        half = batch_size // 2
        i = torch.randint(len(images), (batch_size,), generator=dice)
        i[:half] = torch.randint(len(faint), (half,), generator=dice)
        x = from_bytes(images[i])
        share = torch.rand(half, 1, 1, 1, generator=dice)
        x[:half] = x[:half].lerp(from_bytes(faint[i[:half]]), share)
        soft = torch.nn.functional.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
        mix = 0.5 * torch.rand(batch_size, 1, 1, 1, generator=dice)
        noise = 0.15 * torch.rand(batch_size, 1, 1, 1, generator=dice)
        x = x.lerp(soft, mix) + noise * torch.randn(x.shape, generator=dice)
        total = 0.0
        for k, logits in enumerate(network(x)):
            nats = torch.nn.functional.cross_entropy(logits, attributes[i, k], reduction="none")
            total = total + (nats * seen[i, k]).sum() / seen[i, k].sum().clamp_min(1)
        return total

    def release():
        state = {k: v.half() if v.is_floating_point() else v for k, v in trainer.average.items()}
        write_tensors(out / "classifier.safetensors", state)

    trainer.run(loss, release, 100, None)
    network.load_state_dict(trainer.average)
    network.eval()
    faces = 8 if smoke else 2000
    images, attributes = cartoon_faces("test", faces, out / "test.safetensors")
    seen = shows(attributes)

    @torch.no_grad()
    def right(pictures):
        x = from_bytes(pictures)
        chosen = [torch.stack([logits.argmax(1) for logits in network(part)], 1) for part in x.split(200)]
        return torch.cat(chosen) == attributes[: len(x)]

    sharp, soft = right(images), right(rebuilt(codec, images[: 8 if smoke else 1000]))
    for k, name in enumerate(ATTRIBUTES):
        a, b = sharp[seen[:, k], k], soft[seen[: len(soft), k], k]
        sharply, softly = (f"{v.float().mean():.4f} of {len(v)}" for v in (a, b))
        click.echo(f"{name:15} {sharply}; rebuilt {softly} that show")
    for found in (sharp, soft):
        assert smoke or (found | ~seen[: len(found)]).float().mean() > 0.99


if __name__ == "__main__":
    main()
