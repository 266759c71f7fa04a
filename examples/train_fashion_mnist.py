"""Train the built-in ``fashion-mnist`` prior from the data, with checkpoints and resume.

A class-conditional `UNet2DModel` (v-prediction, cosine schedule, class 10 = no label) on the
60,000 training images. Stop it at any moment: the same command goes on where the last
checkpoint was written, and ``OUT/unet``, ``OUT/scheduler`` always hold the averaged weights of
that checkpoint in diffusers format.

    python examples/train_fashion_mnist.py --out fashion-mnist-prior --steps 8000
    python examples/train_fashion_mnist.py --out finer --init fashion-mnist-prior --steps 2000 --lr 4e-4
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import click
import torch
from diffusers import DDPMScheduler, UNet2DModel
from safetensors.torch import load_file, save_file

from vipaint_pyro.datasets import FASHION_MNIST_FOLDER, fashion_mnist
from vipaint_pyro.loading import quiet_loading

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


def loss_of(unet, scheduler, x, c, generator):
    """v-prediction loss with min-SNR-5 weights (Hang et al. 2023, arXiv:2303.09556), t stratified."""
    n = len(x)
    u = (torch.arange(n) + torch.rand(n, generator=generator)) / n
    t = (u * scheduler.config.num_train_timesteps).long()
    noise = torch.randn(x.shape, generator=generator)
    abar = scheduler.alphas_cumprod[t]
    snr = abar / (1 - abar)
    weight = snr.clamp(max=5) / (snr + 1)
    v = unet(scheduler.add_noise(x, noise, t), t, class_labels=c).sample
    error = (v - scheduler.get_velocity(x, noise, t)).pow(2).mean((1, 2, 3))
    return (weight * error).mean()


def write(path: Path, tensors: dict, metadata: dict) -> None:
    partial = path.with_suffix(".partial")
    save_file(tensors, partial, metadata={k: json.dumps(v) for k, v in metadata.items()})
    os.replace(partial, path)


def save_checkpoint(out, unet, average, optimizer, generator, step, losses):
    names = [name for name, _ in unet.named_parameters()]
    state = {f"unet.{k}": v for k, v in unet.state_dict().items()}
    state |= {f"average.{k}": v for k, v in average.items()}
    for i, entry in optimizer.state_dict()["state"].items():
        state |= {f"adam.{names[i]}.{k}": torch.as_tensor(v) for k, v in entry.items()}
    state["generator"] = generator.get_state()
    state = {k: v.detach().clone().contiguous() for k, v in state.items()}
    write(out / "checkpoint.safetensors", state, {"step": step})
    partial = out / "losses.partial"
    partial.write_text(json.dumps(losses))
    os.replace(partial, out / "losses.json")
    released = new_unet()
    released.load_state_dict(average)
    released.half().save_pretrained(out / "unet")
    new_scheduler().save_pretrained(out / "scheduler")


def load_checkpoint(out, unet, optimizer, generator):
    from safetensors import safe_open

    path = out / "checkpoint.safetensors"
    with safe_open(path, "pt") as file:
        step = json.loads(file.metadata()["step"])
    state = load_file(path)

    def part(prefix):
        return {k[len(prefix):]: v for k, v in state.items() if k.startswith(prefix)}

    unet.load_state_dict(part("unet."))
    adam = {
        i: part(f"adam.{name}.") for i, (name, _) in enumerate(unet.named_parameters())
    }
    optimizer.load_state_dict({"state": adam, "param_groups": optimizer.state_dict()["param_groups"]})
    generator.set_state(state["generator"])
    losses = json.loads((out / "losses.json").read_text())
    return part("average."), step, losses[:step]


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
    generator = torch.Generator().manual_seed(seed)
    unet = UNet2DModel.from_pretrained(Path(init) / "unet", **quiet_loading({})).float() if init else new_unet()
    unet.train()
    scheduler = new_scheduler()
    optimizer = torch.optim.AdamW(unet.parameters(), lr=lr, weight_decay=0.0)
    average = {k: v.detach().clone() for k, v in unet.state_dict().items()}
    step, losses = 0, []
    if (out / "checkpoint.safetensors").exists():
        average, step, losses = load_checkpoint(out, unet, optimizer, generator)
        click.echo(f"resumed at step {step}")
    while step < min(steps, stop_at or steps):
        warm = min(1.0, (step + 1) / 100)
        now = lr * warm * 0.5 * (1 + torch.cos(torch.tensor(step / steps * torch.pi)).item())
        for group in optimizer.param_groups:
            group["lr"] = now
        x, c = batch(images, labels, batch_size, generator)
        loss = loss_of(unet, scheduler, x, c, generator)
        if not torch.isfinite(loss):
            raise click.ClickException(f"the loss is not finite at step {step}; lower --lr")
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(unet.parameters(), 1.0)
        optimizer.step()
        step += 1
        decay = min(ema, (1 + step) / (10 + step)) if not init else ema
        for k, v in unet.state_dict().items():
            average[k].lerp_(v.detach(), 1 - decay)
        losses.append(loss.item())
        if step % checkpoint_every == 0 or step in (steps, stop_at):
            save_checkpoint(out, unet, average, optimizer, generator, step, losses)
            recent = losses[-checkpoint_every:]
            click.echo(f"step {step}  loss {sum(recent) / len(recent):.4f}")
    assert torch.isfinite(torch.tensor(losses)).all()


if __name__ == "__main__":
    main()
