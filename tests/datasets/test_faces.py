"""The generator of the cartoon faces: its odds, its seeds, its pictures, and what shows in them."""

import random
import sys
from collections import Counter

import pytest
import torch
from scipy.stats import chi2

from vipaint_pyro.datasets.cartoon_faces import faces
from vipaint_pyro.datasets.cartoon_faces.faces import ATTRIBUTES, cartoon_faces, draw_attributes, number, render, shows

PLAIN = {
    "top": "SHORT_FLAT",
    "hair_color": "BROWN",
    "hat_color": "BLACK",
    "skin_color": "PALE",
    "eyes": "DEFAULT",
    "eyebrows": "DEFAULT",
    "mouth": "SMILE",
    "facial_hair": "NONE",
    "accessory": "NONE",
    "clothing": "SHIRT_CREW_NECK",
    "clothing_color": "RED",
}


def eight_bit(x):
    return ((x + 1) * 127.5).round().int()


@pytest.fixture(scope="module")
def drawn():
    return {split: [draw_attributes(split, i) for i in range(20000)] for split in ("train", "test")}


# -- the draws ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_the_odds_sum_to_one(name):
    assert sum(ATTRIBUTES[name].values()) == pytest.approx(1, abs=1e-12)


@pytest.mark.battery
@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("name", ATTRIBUTES)
def test_attributes_have_the_stated_probabilities(drawn, split, name):
    """Pearson's statistic of 20,000 draws; a probability that is off by 0.02 fails."""
    counts, odds, n = Counter(face[name] for face in drawn[split]), ATTRIBUTES[name], len(drawn[split])
    assert counts.keys() <= odds.keys()
    statistic = sum((counts[c] - n * p) ** 2 / (n * p) for c, p in odds.items())
    assert statistic < chi2.ppf(0.9999, len(odds) - 1)


@pytest.mark.parametrize("pair", [("top", "hair_color"), ("eyes", "accessory"), ("clothing", "clothing_color")])
def test_attributes_are_independent(drawn, pair):
    a, b = pair
    counts, n = Counter((face[a], face[b]) for face in drawn["test"]), len(drawn["test"])
    expected = {(c, d): n * p * q for c, p in ATTRIBUTES[a].items() for d, q in ATTRIBUTES[b].items()}
    statistic = sum((counts[key] - e) ** 2 / e for key, e in expected.items())
    assert statistic < chi2.ppf(0.9999, len(expected) - 1)


def test_no_seed_is_used_twice(monkeypatch):
    seeds = []

    class Spy(random.Random):
        def __init__(self, seed):
            seeds.append(seed)
            super().__init__(seed)

    monkeypatch.setattr(faces.random, "Random", Spy)
    for split in ("train", "test"):
        for i in range(500):
            draw_attributes(split, i)
    assert len(seeds) == len(set(seeds)) == 1000


def test_a_face_is_the_same_every_time_and_the_global_dice_are_left_alone():
    random.seed(3)
    state = random.getstate()
    first = draw_attributes("test", 7)
    assert random.getstate() == state
    random.seed(4)
    assert draw_attributes("test", 7) == first != draw_attributes("train", 7)
    # Of this very number, so that the faces stay the same from one release to the next.
    assert (first["top"], first["mouth"], first["clothing_color"]) == ("SHAGGY", "SERIOUS", "PINK")


def test_only_what_there_is_can_be_drawn():
    with pytest.raises(ValueError, match="'train' or 'test', not 'valid'"):
        draw_attributes("valid", 0)
    with pytest.raises(ValueError, match="at least 0, but is -1"):
        draw_attributes("test", -1)


# -- the pictures ------------------------------------------------------------------------------------


def test_pictures_are_deterministic_and_on_white():
    x = render(PLAIN)
    assert x.shape == (3, 64, 64) and x.dtype == torch.float32 and x.min() >= -1 and x.max() <= 1
    assert (x == render(dict(PLAIN))).all()
    assert (x[:, 0] == 1).all() and (x[:, :20, :8] == 1).all()
    assert render(PLAIN, size=32).shape == (3, 32, 32)


@pytest.mark.parametrize(
    "name, place", [("skin_color", (38, 22)), ("clothing_color", (62, 32)), ("hair_color", (10, 32))]
)
def test_colours_are_the_generators_own(name, place):
    """On the cheek, the shirt and the hair: its hexadecimal number, exactly."""
    import python_avatars as pa

    palette = {"skin_color": pa.SkinColor, "clothing_color": pa.ClothingColor, "hair_color": pa.HairColor}[name]
    for choice in ATTRIBUTES[name]:
        pixel = eight_bit(render({**PLAIN, "top": "FRO", name: choice}))[:, place[0], place[1]]
        assert pixel.tolist() == list(bytes.fromhex(str(palette[choice]).removeprefix("#"))), choice


def test_attributes_must_be_all_and_known():
    with pytest.raises(ValueError, match="a face has the attributes top, hair_color"):
        render({"top": "BOB"})
    with pytest.raises(ValueError, match="mouth is one of GRIMACE, .*, not 'GRIN'"):
        render({**PLAIN, "mouth": "GRIN"})


@pytest.mark.parametrize("missing", ["python_avatars", "resvg_py"])
def test_without_the_extra_it_says_what_to_install(monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=r"vipaint-pyro\[faces\]"):
        render(PLAIN)


# -- the collection ----------------------------------------------------------------------------------


def test_faces_come_with_their_attributes_and_are_kept(tmp_path):
    path, heard = tmp_path / "faces.safetensors", []
    images, attributes = cartoon_faces("test", 3, path, heard.append)
    assert images.dtype == torch.uint8 and images.shape == (3, 3, 64, 64) and not heard
    for i in range(3):
        face = draw_attributes("test", i)
        assert (attributes[i] == number(face)).all()
        assert [[*ATTRIBUTES[n]][k] for n, k in zip(ATTRIBUTES, attributes[i])] == [*face.values()]
        assert (images[i].int() == eight_bit(render(face))).all()
    before = path.stat().st_mtime_ns
    for kept, was in zip(cartoon_faces("test", 3, path), (images, attributes)):
        assert (kept == was).all()
    assert path.stat().st_mtime_ns == before and [*tmp_path.iterdir()] == [path]
    with pytest.raises(ValueError, match="holds 3 faces, not 4; delete it"):
        cartoon_faces("test", 4, path)


def test_progress_is_told_every_thousand_faces(monkeypatch):
    monkeypatch.setattr(faces, "render", lambda attributes: torch.zeros(3, 64, 64))
    heard = []
    images, _ = cartoon_faces("train", 2001, progress=heard.append)
    assert heard == [1000, 2000] and (images == 128).all()


# -- what shows --------------------------------------------------------------------------------------


def test_shows_is_what_a_change_does_to_the_picture():
    """On random faces, every attribute changed to every choice: those that show change the picture, others not.

    Sums of squares in units of [-1, 1]; the smallest change that shows is a moustache as dark as the face.
    Sunglasses let a quarter of the eyes' contrast through, a sixteenth of its square.
    """
    bare = {"accessory": "NONE"}
    for i in range(12):
        face = draw_attributes("train", i)
        x, seen = render(face), dict(zip(ATTRIBUTES, shows(number(face)).tolist()))
        for name, odds in ATTRIBUTES.items():
            for choice in odds:
                if choice == face[name]:
                    continue
                change = (render({**face, name: choice}) - x).pow(2).sum().item()
                if seen[name]:
                    assert change > 0.4, (i, name, choice)
                elif name == "eyes":
                    whole = (render({**face, **bare, name: choice}) - render({**face, **bare})).pow(2).sum().item()
                    assert 0.05 < change / whole < 0.1, (i, choice)
                else:
                    assert change == 0, (i, name, choice)


def test_shows_by_hand():
    def seen(**changes):
        shown = shows(number({**PLAIN, **changes}))
        return {name for name, s in zip(ATTRIBUTES, shown.tolist()) if not s}

    assert seen() == {"hat_color"}
    assert seen(top="HAT") == {"hair_color"}
    assert seen(top="TURBAN", facial_hair="BEARD_LIGHT") == set()
    assert seen(accessory="SUNGLASSES") == {"hat_color", "eyes"}
    many = torch.stack([number(PLAIN), number({**PLAIN, "top": "WINTER_HAT_1"})]).reshape(2, 1, 11)
    assert shows(many).shape == (2, 1, 11) and (shows(many)[0] != shows(many)[1]).sum() == 2


def test_the_odds_are_those_that_the_pictures_were_drawn_by():
    uneven = {name: odds for name, odds in ATTRIBUTES.items() if len({*odds.values()}) > 1}
    assert uneven == {
        "facial_hair": {"NONE": 0.4, "BEARD_LIGHT": 0.2, "BEARD_MAGESTIC": 0.2, "MOUSTACHE_FANCY": 0.2},
        "accessory": {"NONE": 0.5, "PRESCRIPTION_2": 0.3, "SUNGLASSES": 0.2},
    }
    assert {name: len(odds) for name, odds in ATTRIBUTES.items()} == {
        "top": 12, "hair_color": 6, "hat_color": 7, "skin_color": 6, "eyes": 6, "eyebrows": 4, "mouth": 6,
        "facial_hair": 4, "accessory": 3, "clothing": 6, "clothing_color": 7,
    }  # fmt: skip
