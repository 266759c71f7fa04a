"""What the training scripts share: the diffusion loss, averaged weights, a cosine rate, checkpoints and resume.

Not a script of its own. A checkpoint is one safetensors file, written whole or not at all, so that a
stopped run loses at most the steps since the last one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import click
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from vipaint_pyro.files import write_tensors


def min_snr(snr: Tensor) -> Tensor:
    """The min-SNR-5 weights of v-prediction, of alpha^2 / sigma^2 (Hang et al. 2023, arXiv:2303.09556)."""
    return snr.clamp(max=5) / (snr + 1)


def v_loss(
    predict: Callable[[Tensor, Tensor], Tensor],
    scheduler,
    x: Tensor,
    generator: torch.Generator,
    weight: Callable[[Tensor], Tensor] = min_snr,
) -> Tensor:
    """The weighted v-prediction loss, its times stratified.

    Args:
        predict: (z_t, t) -> v, of clean images or latents x (B, C, H, W) and whole times (B,).
        scheduler: of diffusers, with its ``alphas_cumprod``.
        x: what is noised.
        generator: of times and noise.
        weight: of each time's squared error, by its alpha^2 / sigma^2.
    """
    u = (torch.arange(len(x)) + torch.rand(len(x), generator=generator)) / len(x)
    t = (u * scheduler.config.num_train_timesteps).long()
    noise = torch.randn(x.shape, generator=generator)
    abar = scheduler.alphas_cumprod[t]
    snr = abar / (1 - abar)
    v = predict(scheduler.add_noise(x, noise, t), t)
    error = (v - scheduler.get_velocity(x, noise, t)).pow(2).mean((1, 2, 3))
    return (weight(snr) * error).mean()


class Trainer:
    """AdamW with a rate that rises over 100 steps and falls along a cosine, and an average of the weights.

    Args:
        network: what is trained.
        out: the folder of ``checkpoint.safetensors``; made here, and resumed from where it holds one.
        steps: of the whole training.
        lr: the peak rate.
        ema: of the average.
        seed: of the batches.
        from_nothing: whether the weights are random, so that the average is to forget the first ones soon.
    """

    def __init__(
        self,
        network: nn.Module,
        out: Path,
        steps: int,
        lr: float,
        ema: float = 0.999,
        seed: int = 0,
        from_nothing: bool = True,
    ) -> None:
        self.network, self.out, self.steps, self.lr, self.ema = network.train(), out, steps, lr, ema
        self.from_nothing = from_nothing
        self.optimizer = torch.optim.AdamW(network.parameters(), lr=lr, weight_decay=0.0)
        self.average = {k: v.detach().clone() for k, v in network.state_dict().items()}
        self.generator = torch.Generator().manual_seed(seed)
        self.step, self.losses = 0, []
        self.path = out / "checkpoint.safetensors"
        out.mkdir(parents=True, exist_ok=True)
        if self.path.exists():
            self._load()
            click.echo(f"resumed at step {self.step}")

    def run(self, loss: Callable[[], Tensor], release: Callable[[], None], every: int, stop_at: int | None) -> None:
        """Train up to ``stop_at`` (or to the end); ``release`` writes the averaged network at each checkpoint."""
        stop = min(self.steps, stop_at or self.steps)
        while self.step < stop:
            warm = min(1.0, (self.step + 1) / 100)
            for group in self.optimizer.param_groups:
                group["lr"] = self.lr * warm * 0.5 * (1 + math.cos(math.pi * self.step / self.steps))
            value = loss()
            if not torch.isfinite(value):
                raise click.ClickException(f"the loss is not finite at step {self.step}; lower --lr")
            self.optimizer.zero_grad()
            value.backward()
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
            self.optimizer.step()
            self.step += 1
            decay = min(self.ema, (1 + self.step) / (10 + self.step)) if self.from_nothing else self.ema
            for k, v in self.network.state_dict().items():
                self.average[k].lerp_(v.detach(), 1 - decay) if v.is_floating_point() else self.average[k].copy_(v)
            self.losses.append(value.item())
            if self.step % every == 0 or self.step == stop:
                self._save()
                release()
                recent = self.losses[-every:]
                click.echo(f"step {self.step}  loss {sum(recent) / len(recent):.5f}")

    def _save(self) -> None:
        names = [name for name, _ in self.network.named_parameters()]
        state = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        state |= {f"average.{k}": v for k, v in self.average.items()}
        for i, entry in self.optimizer.state_dict()["state"].items():
            state |= {f"adam.{names[i]}.{k}": torch.as_tensor(v) for k, v in entry.items()}
        state["generator"] = self.generator.get_state()
        state["losses"] = torch.tensor(self.losses)
        # Copies: a network may tie weights, which a safetensors file does not keep as one.
        state = {k: v.detach().clone().contiguous() for k, v in state.items()}
        write_tensors(self.path, state, {"step": json.dumps(self.step)})

    def _load(self) -> None:
        with safe_open(self.path, "pt") as file:
            self.step = json.loads(file.metadata()["step"])
        state = load_file(self.path)

        def part(prefix: str) -> dict[str, Tensor]:
            return {k[len(prefix) :]: v for k, v in state.items() if k.startswith(prefix)}

        self.network.load_state_dict(part("network."))
        self.average = part("average.")
        adam = {i: part(f"adam.{name}.") for i, (name, _) in enumerate(self.network.named_parameters())}
        self.optimizer.load_state_dict({"state": adam, "param_groups": self.optimizer.state_dict()["param_groups"]})
        self.generator.set_state(state["generator"])
        self.losses = state["losses"].tolist()
