"""The options that every fitting command of the command line takes, in the sampler's own words."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["SAMPLER", "settings", "without"]


class _Times(click.ParamType):
    name = "T_e,...,T_s"

    def convert(self, value, param, ctx):
        if isinstance(value, tuple):
            return value
        try:
            return tuple(int(part) for part in value.split(","))
        except ValueError:
            self.fail(f"{value!r} is no comma-separated list of whole times, like 550,500,450,400")


def _options() -> list:
    return [
        click.option("--prior", required=True, help="A built-in name, a diffusers folder or a hub id."),
        click.option("--label", help="Class of the image, by number or name. Default: none."),
        click.option("--prompt", help="Of a text-conditional prior. Default: the empty text."),
        click.option("--negative-prompt", help="What guidance leads away from. Default: the empty text."),
        click.option("--out", type=click.Path(path_type=Path), help="Output folder. Default: vipaint-<image>."),
        click.option("--dtype", type=click.Choice(["float32", "float16", "bfloat16"]), default="float32", show_default=True, help="Precision of the networks."),
        click.option("--samples", default=8, show_default=True, type=click.IntRange(1), help="Completions to draw."),
        click.option("--timesteps", type=_Times(), help="T_e > ... > T_s of the guide. Default: by the prior's noise levels."),
        click.option("--levels", type=click.Choice(["1", "2", "4"]), help="VIPaint-2 or -4, where --timesteps are not given. Default: 4."),
        click.option("--beta", type=float, help="Weight of the KL terms in the bound. Default: 1.0."),
        click.option("--noise-scale", type=float, help="b of the Laplace likelihood, in units of [-1, 1]. Default: entries of the measurement per entry of the image, 1 for inpaint."),
        click.option("--fit-steps", type=int, help="Gradient steps of the fit. Default: 50."),
        click.option("--num-chains", type=int, help="Monte Carlo chains per step of the fit. Default: 2."),
        click.option("--num-levels", type=int, help="Transitions above T_e per chain and step. Default: 2."),
        click.option("--refinement-steps", type=int, help="DPS steps from T_s to the image. Default: 100."),
        click.option("--zeta", type=float, help="DPS step size. Default: 2.0."),
        click.option("--limit/--no-limit", default=None, help="Whether a DPS step may not be longer than the residual. Default: limit."),
        click.option("--fraction", type=float, help="How much of the residual a DPS step may take away. Default: 0.3 for latent priors, no bound for pixel ones."),
        click.option("--eta", type=float, help="Of the DDIM kernel; 1 is ancestral. Default: 1.0."),
        click.option("--loss", type=click.Choice(["trace", "mean-field"]), help="Trace_ELBO or TraceMeanField_ELBO. Default: trace."),
        click.option("--guide", "guide_name", help="Which guide is fitted; vipaint guides lists them. Default: hierarchical."),
        click.option("--correct", type=click.Choice(["none", "psis", "smc"]), help="Weigh the guide's draws: importance weights, or sequential Monte Carlo. Default: none."),
        click.option("--num-particles", type=int, help="Of a correction. Default: 64."),
        click.option("--measurement-scale", type=float, help="Noise in the image, in units of [-1, 1]: the refinement stops at the residual that it leaves; --correct smc needs it (0.05). Default: unknown, no stop."),
        click.option("--perceptual", type=float, help="Weight of LPIPS in the fit, in nats. Default: 0.0."),
        click.option("--perceptual-refinement", type=float, help="Weight of LPIPS in the refinement. Default: 0.0."),
        click.option("--perceptual-net", type=click.Choice(["alex", "vgg"]), help="Which LPIPS. Default: alex."),
        click.option("--perceptual-weights", type=click.Path(), help="A safetensors file of its weights. Default: those that ship, or torchvision's."),
        click.option("--checkpointing/--no-checkpointing", "gradient_checkpointing", default=None, help="Call the network again in the backward pass, to save memory. Default: for latent priors."),
        click.option("--guidance", "guidance_scale", default=1.0, show_default=True, help="Classifier-free guidance weight."),
        click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1, mps ..."),
        click.option("--seed", default=0, show_default=True, type=click.IntRange(0, 2**63 - 1)),
        click.option("--overwrite", is_flag=True, help="Replace an earlier run in the output folder."),
        click.option("--quiet", is_flag=True, help="No progress bars."),
    ]  # fmt: skip


def settings(command):
    """All of the options."""
    return without()(command)


def without(*names: str):
    """All of the options but these, which the command settles itself."""

    def decorate(command):
        for option in reversed(_options()):
            changed = option(lambda: None)
            if changed.__click_params__[0].name not in names:
                command = option(command)
        return command

    return decorate


SAMPLER = ("beta", "noise_scale", "fit_steps", "num_chains", "num_levels", "refinement_steps", "zeta", "limit", "fraction", "eta", "loss", "guide_name", "correct", "num_particles", "measurement_scale", "perceptual", "perceptual_refinement", "perceptual_net", "perceptual_weights", "gradient_checkpointing")
