"""Features by name."""

import sys

import pytest
import torch

from vipaint_pyro.datasets.cartoon_faces.classifier import face_features, read_attributes, shipped_classifier
from vipaint_pyro.evaluation.study.features import FEATURES, kid, make_features, titled
from vipaint_pyro.measurements.lpips import LPIPS


def pictures(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.mark.parametrize("name", ["lpips-alex", "faces-classifier"])
def test_features_that_ship(name):
    features, x = make_features(name), pictures(3, 2, 3, 64, 64)
    value = features(x)
    assert value.shape == (3, 2, FEATURES[name].dimension) and value.dtype == torch.float32
    torch.testing.assert_close(features(x[1]), value[1])
    torch.testing.assert_close(features(3 * x), features((3 * x).clamp(-1, 1)))
    torch.testing.assert_close(features(x.double()), value)
    assert titled("KID", name) == f"KID on {FEATURES[name].title} features"


def test_of_alexnet_it_is_the_last_layer_averaged():
    x, lpips = pictures(2, 3, 64, 64), LPIPS()
    seen = []
    lpips._net.net.slice5.register_forward_hook(lambda _module, _given, out: seen.append(out))
    lpips(x, x)
    torch.testing.assert_close(make_features("lpips-alex")(x), seen[0].mean((2, 3)))


def test_grey_pictures_are_three_equal_channels():
    x, features = pictures(2, 1, 28, 28), make_features("lpips-alex")
    torch.testing.assert_close(features(x), features(x.expand(-1, 3, -1, -1)))


def test_of_the_faces_classifier_it_is_what_its_head_takes_averaged():
    x = pictures(2, 3, 64, 64)
    seen = []
    hook = shipped_classifier().head.register_forward_pre_hook(lambda _module, given: seen.append(given[0]))
    try:
        read_attributes(x)
    finally:
        hook.remove()
    torch.testing.assert_close(face_features(x), seen[0].reshape(2, 128, 4, 4).mean((2, 3)))


def test_pictures_of_another_kind_are_farther_away():
    """Noise is farther from smooth pictures than other smooth ones are, many standard errors."""
    features = make_features("lpips-alex")
    grow = torch.nn.Upsample(size=(28, 28), mode="bilinear")
    smooth, other, noise = grow(pictures(20, 1, 5, 5)), grow(pictures(20, 1, 5, 5, seed=1)), pictures(20, 1, 28, 28)
    real = features(smooth)
    near, far = kid(features(other), real), kid(features(noise), real)
    assert abs(near[0]) < 3.5 * near[1]
    assert far[0] > 10 * far[1] > 0


@pytest.mark.parametrize(
    "name, x, message",
    [
        ("faces-classifier", torch.zeros(1, 1, 28, 28), "cartoon faces are"),
        ("lpips-alex", torch.zeros(3, 64, 64), r"images are \(\*, C, H, W\)"),
        ("lpips-alex", torch.zeros(1, 4, 64, 64), "C = 1 or 3"),
        ("lpips-alex", torch.full((1, 3, 64, 64), torch.nan), "not finite"),
    ],
)
def test_what_is_no_picture_is_refused(name, x, message):
    with pytest.raises(ValueError, match=message):
        make_features(name)(x)


def test_unknown_names_and_weights_that_go_nowhere_are_refused(tmp_path):
    with pytest.raises(ValueError, match="one of lpips-alex, faces-classifier, inception, not 'vgg'"):
        make_features("vgg")
    with pytest.raises(ValueError, match="one of lpips-alex"):
        titled("KID", "vgg")
    with pytest.raises(ValueError, match="leave weights out"):
        make_features("lpips-alex", tmp_path / "a.pth")


def test_inception_without_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_fidelity.feature_extractor_inceptionv3", None)
    with pytest.raises(ImportError, match=r"vipaint-pyro\[fidelity\]"):
        make_features("inception")


def test_inception_is_torch_fidelitys(tmp_path, monkeypatch):
    """On weights that were drawn: the real ones are not here."""
    module = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    with pytest.raises(ValueError, match="given by path"):
        make_features("inception")
    with pytest.raises(FileNotFoundError, match="not found"):
        make_features("inception", tmp_path / "none.pth")
    path = tmp_path / "weights.pth"
    torch.save({"a": torch.zeros(1)}, path)
    with pytest.raises(ValueError, match="no weights of torch-fidelity's Inception"):
        make_features("inception", path)
    torch.save(Trap(), path)
    with pytest.raises(ValueError, match="no weights of torch-fidelity's Inception"):
        make_features("inception", path)
    assert not Trap.sprung
    with monkeypatch.context() as patch:
        patch.setattr(module, "load_state_dict_from_url", lambda *_, **__: {})
        patch.setattr(module.FeatureExtractorInceptionV3, "load_state_dict", lambda *_: None)
        drawn = module.FeatureExtractorInceptionV3("drawn", ["2048"])
    torch.save(drawn.state_dict(), path)
    x = pictures(2, 1, 28, 28)
    value = make_features("inception", path)(x)
    eight = ((x + 1) * 127.5).round().to(torch.uint8).expand(-1, 3, -1, -1)
    assert value.shape == (2, 2048)
    torch.testing.assert_close(value, drawn(eight)[0])


class Trap:
    """A pickle that would run code when it is loaded."""

    sprung = False

    def __reduce__(self):
        return (setattr, (Trap, "sprung", True))
