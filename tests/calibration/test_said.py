"""A result shows what came out, in one line that no tensor is in."""

import pytest
import torch

from vipaint_pyro.calibration import ksd, psis, sliced_wasserstein


def random(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize(
    "result, said",
    [
        (ksd(random(400, 3), -random(400, 3)), "KSDResult(KSD "),
        (psis(random(3, 400)), "PSISResult(3 good of 3 (largest k = "),
        (sliced_wasserstein(random(400, 3), random(300, 3), 20), "SlicedWasserstein(W1 = "),
    ],
)
def test_it_is_one_line(result, said):
    text = repr(result)
    assert text == str(result) and text.startswith(said) and "\n" not in text and len(text) < 100


def test_of_one_direction_no_error_is_known():
    a, b = torch.zeros(4, 1), torch.ones(4, 1)
    assert repr(sliced_wasserstein(a, b, directions=torch.ones(1, 1))) == "SlicedWasserstein(W1 = 1 over 1 direction)"
    two = sliced_wasserstein(a, b, directions=torch.ones(2, 1), order=2)
    assert repr(two) == "SlicedWasserstein(W2 = 1 ± 0 over 2 directions)"
