"""Progress bars of a pipeline's two phases."""

from __future__ import annotations

from diffusers import DiffusionPipeline

from vipaint_pyro.samplers import VIPaintSampler

__all__ = ["Bars"]


class Bars:
    """Two progress bars, one per phase, under ``set_progress_bar_config``."""

    def __init__(self, pipe: DiffusionPipeline, sampler: VIPaintSampler, fits: bool) -> None:
        self._pipe, self._totals = pipe, {"refine": sampler.refinement_steps}
        if fits:
            self._totals = {"fit": sampler.fit_steps, **self._totals}
        self._open: dict = {}

    def _bar(self, name: str):
        if name not in self._open:
            for bar in self._open.values():  # one phase ends where the next begins
                bar.close()
            self._open[name] = self._pipe.progress_bar(total=self._totals[name])
            self._open[name].set_description(name)
        return self._open[name]

    def __enter__(self):
        def on_fit(terms):
            bar = self._bar("fit")
            total = sum(float(term.mean()) for term in terms.values())
            bar.set_postfix_str(f"-bound {total:.3f} nats/dim", refresh=False)
            bar.update()

        return on_fit, lambda: self._bar("refine").update()

    def __exit__(self, *error):
        for bar in self._open.values():
            bar.close()
