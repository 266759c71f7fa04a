"""The posterior of a face's attributes: against the enumeration of every face, and at both ends."""

import math
from itertools import product

import pytest
import torch

from vipaint_pyro.datasets.cartoon_faces import posterior as module
from vipaint_pyro.datasets.cartoon_faces.faces import ATTRIBUTES, draw_attributes, number, render, shows
from vipaint_pyro.datasets.cartoon_faces.posterior import FacePosterior, attribute_mask, face_posterior

FACE = draw_attributes("test", 1)  # curly brown hair, a light beard, glasses
EVERYTHING, NOTHING = (torch.full((1, 64, 64), value) for value in (True, False))

# Three tops of both kinds, a beard that may show the hair's colour, and glasses that cover eyes.
SMALL = {
    "top": {"BOB": 0.5, "HAT": 0.3, "TURBAN": 0.2},
    "hair_color": {"BLACK": 0.25, "PASTEL_PINK": 0.75},
    "hat_color": {"BLUE_02": 0.6, "PINK": 0.4},
    "skin_color": {"LIGHT": 0.9, "BROWN": 0.1},
    "eyes": {"HEART": 0.3, "WINK": 0.7},
    "eyebrows": {"ANGRY": 1.0},
    "mouth": {"SMILE": 0.8, "TONGUE": 0.2},
    "facial_hair": {"NONE": 0.4, "BEARD_MAGESTIC": 0.6},
    "accessory": {"NONE": 0.5, "SUNGLASSES": 0.5},
    "clothing": {"HOODIE": 1.0},
    "clothing_color": {"RED": 1.0},
}


@pytest.fixture(scope="module")
def all_of_few():
    """All faces of few choices, with their odds and pictures."""
    faces = [dict(zip(SMALL, choices)) for choices in product(*SMALL.values())]
    prior = torch.tensor([math.prod(SMALL[n][c] for n, c in face.items()) for face in faces], dtype=torch.float64)
    pictures = {}

    def picture(face):
        """Colours without use are left out by a rule of the test's own."""
        key = dict(face)
        if face["top"] == "BOB":
            del key["hat_color"]
        elif face["facial_hair"] == "NONE":
            del key["hair_color"]
        key = tuple(key.items())
        if key not in pictures:
            pictures[key] = render(face)
        return pictures[key]

    return faces, prior, torch.stack([picture(face) for face in faces])


@pytest.fixture
def few(all_of_few, monkeypatch):
    """The generator with few choices."""
    for name, odds in SMALL.items():
        monkeypatch.setitem(ATTRIBUTES, name, odds)
    return all_of_few


def rectangle(i, j, h, w):
    seen = EVERYTHING.clone()
    seen[:, i : i + h, j : j + w] = False
    return seen


def masks(generator):
    """Rectangles, and as much seen through holes."""
    for _ in range(8):
        i, j = torch.randint(0, 48, (2,), generator=generator).tolist()
        h, w = torch.randint(8, 48, (2,), generator=generator).tolist()
        yield rectangle(i, j, h, w)
        yield ~rectangle(i, j, h // 2, w // 4)
    yield torch.rand(1, 64, 64, generator=generator) < 0.002
    yield torch.rand(1, 64, 64, generator=generator) < 0.0005


@pytest.mark.battery
@pytest.mark.parametrize("sigma", [0.05, 0.2, 2.0])
def test_it_is_the_enumeration_of_every_face(few, sigma):
    """Of all that can be asked of it: each pair of attributes, under masks of all kinds."""
    faces, prior, pictures = few
    generator, names = torch.Generator().manual_seed(int(10 * sigma)), [*SMALL]
    several = 0
    for k, seen in enumerate(masks(generator)):
        truth = int(torch.multinomial(prior, 1, generator=generator))
        loss = (seen * (pictures - pictures[truth])).double().pow(2).sum((1, 2, 3)) / (2 * sigma**2)
        exact = (prior.log() - loss).softmax(0)
        found = face_posterior(faces[truth], seen, sigma)
        several += found.num_faces > 8
        for a, b in product(names, names):
            if a == b:
                continue
            expected = {}
            for face, p in zip(faces, exact.tolist()):
                expected[face[a], face[b]] = expected.get((face[a], face[b]), 0.0) + p
            joint = found.joint(a, b)
            for key, p in expected.items():
                assert joint.get(key, 0.0) == pytest.approx(p, abs=1e-6), (k, faces[truth], key)
    assert several > 6  # the masks leave something open


def test_nothing_hidden_gives_the_truth():
    posterior = face_posterior(FACE, EVERYTHING)
    seen = dict(zip(ATTRIBUTES, shows(number(FACE)).tolist()))
    assert [name for name in seen if not seen[name]] == ["hat_color"]
    for name in ATTRIBUTES:
        odds = {c: float(c == FACE[name]) for c in ATTRIBUTES[name]} if seen[name] else ATTRIBUTES[name]
        assert posterior.marginal(name) == pytest.approx(odds, abs=1e-12)
    assert posterior.num_faces == len(ATTRIBUTES["hat_color"])


def test_everything_hidden_gives_the_prior():
    posterior = face_posterior(FACE, NOTHING)
    for name, odds in ATTRIBUTES.items():
        assert posterior.marginal(name) == pytest.approx(odds, abs=1e-12)
    assert posterior.num_faces == math.prod(map(len, ATTRIBUTES.values()))
    joint = posterior.joint("top", "accessory")
    assert joint["BOB", "SUNGLASSES"] == pytest.approx(ATTRIBUTES["top"]["BOB"] * 0.2)


@pytest.mark.parametrize("name", ["mouth", "eyes", "top", "facial_hair"])
def test_what_is_under_its_own_mask_is_as_the_prior_has_it(name):
    """The mask covers it whatever it is, and attributes are independent."""
    posterior = face_posterior(FACE, attribute_mask(name, FACE))
    assert posterior.marginal(name) == pytest.approx(ATTRIBUTES[name], abs=1e-9)
    assert posterior.marginal("skin_color")[FACE["skin_color"]] == pytest.approx(1)
    for other in ATTRIBUTES:
        assert sum(posterior.marginal(other).values()) == pytest.approx(1, abs=1e-12)


def test_a_beard_tells_the_colour_of_hidden_hair():
    seen = attribute_mask("top", FACE)
    assert face_posterior(FACE, seen).marginal("hair_color")["BROWN"] == pytest.approx(1)
    shaved = {**FACE, "facial_hair": "NONE"}
    assert face_posterior(shaved, seen).marginal("hair_color") == pytest.approx(ATTRIBUTES["hair_color"], abs=1e-9)


def test_few_faces_are_drawn(monkeypatch):
    """Thousands remain under hidden hair; a rendering each would take a minute."""
    drawn = []
    monkeypatch.setattr(module, "render", lambda face: drawn.append(tuple(face.values())) or render(face))
    module._drawn.cache_clear()
    face = draw_attributes("test", 0)
    assert face_posterior(face, attribute_mask("top", face)).num_faces > 8000
    assert len(drawn) == len(set(drawn)) < 80
    face_posterior(face, attribute_mask("eyes", face))
    assert len(drawn) < 80


def test_joint_distributions_and_draws_by_hand():
    """Two parts: hair and beard together, the mouth for itself."""
    pair = [
        {"top": "BOB", "facial_hair": "NONE"},
        {"top": "HAT", "facial_hair": "NONE"},
        {"top": "HAT", "facial_hair": "BEARD_LIGHT"},
    ]
    rest = {n: next(iter(o)) for n, o in ATTRIBUTES.items() if n not in ("top", "facial_hair", "mouth")}
    parts = [
        (pair, torch.tensor([0.5, 0.2, 0.3], dtype=torch.float64)),
        ([{"mouth": "SAD"}, {"mouth": "SMILE"}], torch.tensor([0.25, 0.75], dtype=torch.float64)),
        ([rest], torch.ones(1, dtype=torch.float64)),
    ]
    posterior = FacePosterior(parts)
    assert posterior.num_faces == 6
    assert posterior.joint("mouth", "top") == pytest.approx(
        {("SAD", "BOB"): 0.125, ("SMILE", "BOB"): 0.375, ("SAD", "HAT"): 0.125, ("SMILE", "HAT"): 0.375}
    )
    three = posterior.joint("facial_hair", "mouth", "top")
    assert three["BEARD_LIGHT", "SMILE", "HAT"] == pytest.approx(0.225)
    assert ("BEARD_LIGHT", "SMILE", "BOB") not in three and sum(three.values()) == pytest.approx(1)
    assert posterior.marginal("top") == pytest.approx({**dict.fromkeys(ATTRIBUTES["top"], 0.0), "BOB": 0.5, "HAT": 0.5})
    faces = posterior.draw(4000, torch.Generator().manual_seed(0))
    assert all([*face] == [*ATTRIBUTES] for face in faces)
    share = sum(f["facial_hair"] == "BEARD_LIGHT" and f["mouth"] == "SMILE" for f in faces) / 4000
    assert abs(share - 0.225) < 0.03
    assert not any(f["facial_hair"] == "BEARD_LIGHT" and f["top"] == "BOB" for f in faces)
    again = posterior.draw(4000, torch.Generator().manual_seed(0))
    assert again == faces


def test_the_mask_covers_every_choice_and_no_more_than_its_margin():
    looks = torch.stack([render({**FACE, "mouth": c}) for c in ATTRIBUTES["mouth"]])
    touched = (looks != looks[:1]).any(0).any(0)
    for margin in (0, 2):
        seen = attribute_mask("mouth", FACE, margin)
        assert seen.shape == (1, 64, 64) and seen.dtype == torch.bool
        for i, j in product(range(64), range(64)):
            near = touched[max(i - margin, 0) : i + margin + 1, max(j - margin, 0) : j + margin + 1].any()
            assert seen[0, i, j] == ~near


def test_what_cannot_be():
    with pytest.raises(ValueError, match=r"bool with shape \(1, 64, 64\), not torch.float32"):
        face_posterior(FACE, EVERYTHING.float())
    with pytest.raises(ValueError, match=r"not torch.bool \(1, 32, 32\)"):
        face_posterior(FACE, torch.ones(1, 32, 32, dtype=torch.bool))
    for sigma in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="sigma is positive"):
            face_posterior(FACE, EVERYTHING, sigma)
    with pytest.raises(ValueError, match="too many faces .* sigma = 100.0"):
        face_posterior(FACE, EVERYTHING, 100.0)
    with pytest.raises(ValueError, match="a face has the attributes"):
        face_posterior({"top": "BOB"}, EVERYTHING)
    with pytest.raises(ValueError, match="an attribute is one of top, .*, not 'nose'"):
        attribute_mask("nose", FACE)
    with pytest.raises(ValueError, match="hat_color shows nowhere in this face"):
        attribute_mask("hat_color", FACE)
    posterior = face_posterior(FACE, EVERYTHING)
    with pytest.raises(ValueError, match="not 'nose'"):
        posterior.marginal("nose")
    with pytest.raises(ValueError, match="named once"):
        posterior.joint("top", "top")
