"""What is searched of each method."""

import pytest

from vipaint_pyro.evaluation.study.candidates import (
    GRIDS,
    LATENT,
    MOST,
    candidates,
    grid_of,
    latent_methods,
    pixel_methods,
)
from vipaint_pyro.evaluation.study.methods import settings_of
from vipaint_pyro.evaluation.study.specs import Spec
from vipaint_pyro.samplers import METHODS

#: What None stands for, or is published.
_SCALES = {"mgps": 0.05, "mgdm": 0.05, "daps": 0.01, "mmps": 0.03, "tmpd": 0.03, "tds": 0.03}
DEFAULTS = {"measurement_scale": _SCALES, "lambda_": 0.25, "step_size": 1e-4, "zeta": 2.0}


@pytest.mark.parametrize("name", GRIDS)
def test_the_default_is_among_at_most_nine_candidates_written_as_specs(name, gaussian):
    found = candidates(name, 50, latent=False)
    assert 3 <= len(found) <= MOST
    for spec, settings in found.items():
        read = Spec.of(spec)
        assert (read.name, read.calls, dict(read.settings)) == (name, 50, settings)
    for setting, values in GRIDS[name].values.items():
        default = METHODS[name].open()[setting]
        if default is None:
            known = DEFAULTS[setting]
            default = known[name] if isinstance(known, dict) else known
        assert default in values


def test_every_method_has_a_grid_and_its_settings_leave_the_calls_alone(gaussian, network_prior):
    assert GRIDS.keys() == METHODS.keys() and LATENT.keys() <= GRIDS.keys()
    for name in GRIDS:
        if "latent" not in METHODS[name].needs:
            prior = network_prior if name == "vipaint" else gaussian  # an exact prior's refinement is another
            plain = settings_of(f"{name}@50", prior, 1)
            for spec, settings in candidates(name, 50, latent=False).items():
                assert settings_of(spec, prior, 1) == plain | settings and not plain.keys() & settings.keys()


def test_latent_priors_have_grids_of_their_own_where_their_defaults_differ():
    assert 9e-6 in grid_of("daps", latent=True).values["step_size"]
    assert 1e-4 in grid_of("daps", latent=False).values["step_size"]
    assert grid_of("vipaint-2", latent=True) == GRIDS["vipaint"]
    # No length of a DPS step there: it would choose that step, where the default is another.
    assert grid_of("vipaint-4", latent=True, task=True).values == {"beta": (0.3, 1.0, 3.0), "refine": ("mmps", "dps")}
    assert grid_of("vipaint-4", latent=False, task=True) == GRIDS["vipaint"]
    assert set(candidates("vipaint-4", 50, True, True)) > {"vipaint-4@50:beta=1.0;refine=mmps"}
    with pytest.raises(ValueError, match="no method is called 'dpz'"):
        grid_of("dpz", latent=False)
    assert "psld" in latent_methods() and "pigdm" not in latent_methods()
    assert "psld" not in pixel_methods() and pixel_methods()[:2] == ("vipaint-4", "vipaint-2")


def test_a_method_of_ones_own_without_a_grid_is_refused(monkeypatch):
    monkeypatch.setitem(METHODS, "own", METHODS["dps"])
    monkeypatch.setitem(GRIDS, "dps", GRIDS["dps"])
    monkeypatch.delitem(GRIDS, "dps")
    with pytest.raises(ValueError, match="nothing says what to search of dps"):
        grid_of("own", latent=False)
