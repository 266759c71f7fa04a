"""The classifier that ships: it reads faces as they were drawn, and takes images of any batch shape."""

import pytest
import torch

from vipaint_pyro.datasets.cartoon_faces.classifier import FaceClassifier, read_attributes
from vipaint_pyro.datasets.cartoon_faces.faces import ATTRIBUTES, cartoon_faces, draw_attributes, render, shows

SIZES = [len(odds) for odds in ATTRIBUTES.values()]


@pytest.fixture(scope="module")
def faces():
    images, attributes = cartoon_faces("test", 150)
    return images / 127.5 - 1, attributes


def test_it_reads_what_shows(faces):
    x, attributes = faces
    wrong = (read_attributes(x) != attributes) & shows(attributes)
    assert wrong.sum() <= 2  # of some 1,500


def test_a_little_noise_and_blur_do_not_mislead_it(faces):
    """As completions have them: their edges are not the generator's."""
    x, attributes = faces
    soft = x.lerp(torch.nn.functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False), 0.3)
    noisy = soft + 0.05 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    wrong = (read_attributes(noisy) != attributes) & shows(attributes)
    assert wrong.sum() <= 0.01 * wrong.numel()


def test_a_changed_mouth_is_read_as_changed(faces):
    """Each attribute is read for itself: nothing else is, with the mouth, seen otherwise."""
    face, k = draw_attributes("test", 5), [*ATTRIBUTES].index("mouth")
    read = read_attributes(torch.stack([render({**face, "mouth": m}) for m in ATTRIBUTES["mouth"]]))
    assert read[:, k].tolist() == [*range(SIZES[k])]
    shown = shows(read)
    shown[:, k] = False
    assert (read == read[:1])[shown].all()


def test_batch_shapes_and_precisions(faces):
    x, _ = faces
    flat = read_attributes(x[:6])
    assert flat.shape == (6, 11) and flat.dtype == torch.int64
    assert (read_attributes(x[:6].reshape(3, 2, 3, 64, 64)) == flat.reshape(3, 2, 11)).all()
    assert read_attributes(x[0]).shape == (11,) and (read_attributes(x[0]) == flat[0]).all()
    assert (read_attributes(x[:6].double().requires_grad_()) == flat).all()
    # More than are read at a time, and what lies outside [-1, 1] is cut off first.
    many = x[:1].expand(300, -1, -1, -1)
    assert (read_attributes(many) == flat[:1]).all()
    assert (read_attributes(5 * x[:6]) == read_attributes((5 * x[:6]).clamp(-1, 1))).all()


def test_no_choices_that_there_are_not(faces):
    read = read_attributes(torch.randn(40, 3, 64, 64))
    assert (read >= 0).all() and (read < torch.tensor(SIZES)).all()


def test_logits_come_in_the_attributes_order():
    torch.manual_seed(0)
    network = FaceClassifier(width=4).eval()
    logits = network(torch.randn(2, 3, 64, 64))
    assert [tuple(v.shape) for v in logits] == [(2, n) for n in SIZES]
    whole = network.head(network.features(torch.zeros(2, 3, 64, 64)))
    assert (torch.cat(network(torch.zeros(2, 3, 64, 64)), 1) == whole).all()


@pytest.mark.parametrize("shape", [(3, 32, 32), (2, 1, 64, 64), (64, 64)])
def test_other_images_are_refused(shape):
    with pytest.raises(ValueError, match=r"cartoon faces are \(\*, 3, 64, 64\)"):
        read_attributes(torch.zeros(shape))
