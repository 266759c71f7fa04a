"""Train the classifier that reads the attributes off cartoon faces; it measures completions, it makes none.

    python examples/train_cartoon_classifier.py --autoencoder cartoon-autoencoder --out classifier
"""

from __future__ import annotations

from pathlib import Path

import click
import torch
from safetensors.torch import save_file
from training import Trainer

from vipaint_pyro.face_classifier import FaceClassifier
from vipaint_pyro.faces import ATTRIBUTES, cartoon_faces, shows


@click.command(help=__doc__)
@click.option("--autoencoder", type=click.Path(path_type=Path), required=True, help="OUT of the other script.")
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--faces", default=40000, show_default=True, help="As many as the autoencoder was trained on.")
@click.option("--steps", default=2000, show_default=True)
@click.option("--batch-size", default=128, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--smoke", is_flag=True, help="Three steps of a batch of four: does it run?")
def main(autoencoder, out, faces, steps, batch_size, seed, smoke):
    if smoke:
        faces, steps, batch_size = 8, 3, 4
    images, attributes = cartoon_faces("train", faces, autoencoder / "train.safetensors")
    seen = shows(attributes)
    torch.manual_seed(seed)
    network = FaceClassifier()
    trainer = Trainer(network, out, steps, lr=2e-3, ema=0.99, seed=seed)

    def loss():
        """Cross-entropy of what shows; noise and blur stand for what completions do to edges."""
        dice = trainer.generator
        i = torch.randint(len(images), (batch_size,), generator=dice)
        x = images[i].float() / 127.5 - 1
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
        save_file(state, out / "classifier.safetensors")

    trainer.run(loss, release, 100, None)
    network.load_state_dict(trainer.average)
    network.eval()
    faces = 8 if smoke else 2000
    images, attributes = cartoon_faces("test", faces, out / "test.safetensors")
    with torch.no_grad():
        x = images.float() / 127.5 - 1
        chosen = torch.stack([logits.argmax(1) for logits in network(x)], 1)
    right, seen = chosen == attributes, shows(attributes)
    for k, name in enumerate(ATTRIBUTES):
        click.echo(f"{name:15} {right[seen[:, k], k].float().mean():.4f} of {int(seen[:, k].sum())} that show")
    assert smoke or (right | ~seen).float().mean() > 0.99


if __name__ == "__main__":
    main()
