"""Every example runs (with --smoke), and none is forgotten."""

import subprocess
import sys
from pathlib import Path

import pytest
from safetensors import safe_open
from safetensors.torch import load_file

from tests.scripts import run_script

FOLDER = Path(__file__).parent.parent / "examples"
NEEDS_DATA = {
    "02_completion_quality.py",
    "05_dataset_prior.py",
    "07_swapping_guides.py",
    "11_perceptual_ablation.py",
    "15_photon_counts.py",
    "17_choose_settings.py",
    "priors/judge_fashion_mnist.py",
    "priors/measure_kind.py",
    "priors/train_fashion_mnist.py",
}
EXAMPLES = {
    "01_svi_script.py": ["--out", "svi.png"],
    "02_completion_quality.py": ["--out", "quality"],
    "03_overhead.py": [],
    "04_one_dimensional_mixture.py": [],
    "05_dataset_prior.py": [],
    "06_mini_vipaint.py": [],
    "07_swapping_guides.py": ["--out", "guides"],
    "08_beta_levels.py": [],
    "09_red_diff_collapse.py": [],
    "10_calibration.py": [],
    "11_perceptual_ablation.py": ["--out", "perceptual"],
    "13_what_is_under_the_mask.py": ["--out", "mask"],
    "14_memory.py": [],
    "15_photon_counts.py": ["--out", "counts.png"],
    "16_gaussian_errors.py": ["--out", "errors.md"],
    "17_choose_settings.py": ["--out", "settings.json"],
    "18_two_dimensions.py": [],
    "19_calibration_of_pictures.py": ["--out", "calibrated"],
    "priors/judge_cartoon_faces.py": ["cartoon-faces", "--out", "judged"],
    "priors/judge_fashion_mnist.py": ["fashion-mnist", "--out", "judged"],
    "priors/measure_kind.py": ["fashion-mnist", "--out", "kind/kind.json", "--judge", "kind/kind.md"],
    "priors/train_fashion_mnist.py": ["--out", "prior"],
}
# The same on another prior, and another measurement.
MORE = [
    (
        "02_completion_quality.py",
        ["--out", "faces", "--prior", "cartoon-faces", "--data", "cartoon-faces", "--task", "deblur", "--images", "1"],
    ),
]
#: Of half a minute, by name or by what is given.
LONG = {"13_what_is_under_the_mask.py", "faces"}
# Imported by the scripts of priors; they have tests of their own.
SHARED = {"priors/training.py", "priors/photographs.py", "priors/patch_models.py", "priors/foreign_pictures.py"}
# Each needs what the first one makes: see test_the_cartoon_prior_is_trained_in_three_scripts.
CHAINED = {f"priors/train_cartoon_{part}.py" for part in ("autoencoder", "classifier", "prior")}
# They need Debian's packages of photographs; tests/test_patch_models.py and tests/datasets/test_photos.py run them on
# made-up ones.
PHOTOGRAPHS = {f"priors/{what}_photo_patches.py" for what in ("train", "judge", "cut")}


def test_every_example_is_listed():
    found = {p.relative_to(FOLDER).as_posix() for p in FOLDER.rglob("*.py")}
    lesson = {p for p in found if p.startswith("lesson/")}  # in tests/test_lesson.py
    assert found == set(EXAMPLES) | SHARED | CHAINED | PHOTOGRAPHS | {"notebooks/build.py"} | lesson


@pytest.fixture
def data(tmp_path):
    """A Fashion-MNIST of twelve random images, in its own file format."""
    import gzip
    import random

    folder = tmp_path / "data"
    folder.mkdir()
    random.seed(0)
    for split in ("train", "t10k"):
        pixels = bytes(random.randrange(256) for _ in range(12 * 784))
        header = bytes([0, 0, 8, 3]) + b"".join(n.to_bytes(4, "big") for n in (12, 28, 28))
        (folder / f"{split}-images-idx3-ubyte.gz").write_bytes(gzip.compress(header + pixels))
        header = bytes([0, 0, 8, 1]) + (12).to_bytes(4, "big")
        labels = bytes(k % 10 for k in range(12))
        (folder / f"{split}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(header + labels))
    return folder


@pytest.mark.battery
@pytest.mark.parametrize(
    "name, given",
    [
        pytest.param(name, given, marks=[pytest.mark.slow, pytest.mark.long] if LONG & {name, *given} else ())
        for name, given in [*sorted(EXAMPLES.items()), *MORE]
    ],
)
def test_example_runs(name, given, tmp_path, data):
    arguments = [*given, "--smoke"]
    if name in NEEDS_DATA and "--data" not in given:
        arguments += ["--data", str(data)]
    done = run_script(FOLDER / name, *arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.slow
def test_what_a_user_can_mend_is_said_in_one_line(tmp_path, data):
    command = [sys.executable, str(FOLDER / "02_completion_quality.py"), "--smoke", "--out", "quality"]
    command += ["--data", str(data), "--methods", "loud"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert done.stderr.startswith("Error: no method is called 'loud'. There are vipaint, dps")


def test_training_goes_on_where_it_was(tmp_path, data):
    """Two halves give the weights of one whole, bit for bit."""

    def train(out, *more):
        given = ["--data", str(data), "--out", out, "--batch-size", "4", "--checkpoint-every", "2", *more]
        done = run_script(FOLDER / "priors" / "train_fashion_mnist.py", *given, cwd=tmp_path)
        assert done.returncode == 0, done.stderr[-2000:]
        return load_file(str(tmp_path / out / "checkpoint.safetensors"))

    whole = train("whole", "--steps", "4")
    train("halves", "--steps", "4", "--stop-at", "2")
    halves = train("halves", "--steps", "4")
    assert whole.keys() == halves.keys()
    for k, v in whole.items():
        assert (v == halves[k]).all(), k


def test_the_cartoon_prior_is_trained_in_three_scripts(tmp_path):
    """Autoencoder, then latent prior and classifier; each leaves what the next and the package load."""
    from vipaint_pyro import DiffusionPrior
    from vipaint_pyro.datasets.cartoon_faces.classifier import FaceClassifier

    def train(script, *arguments):
        path = FOLDER / "priors" / f"train_cartoon_{script}.py"
        done = run_script(path, *arguments, "--smoke", cwd=tmp_path)
        assert done.returncode == 0, done.stderr[-2000:]

    train("autoencoder", "--out", "vae")
    train("prior", "--autoencoder", "vae", "--out", "prior")
    train("classifier", "--autoencoder", "vae", "--out", "classifier")
    prior = DiffusionPrior.from_pretrained(str(tmp_path / "prior" / "prior"))
    assert prior.image_shape == (3, 64, 64) and prior.latent_shape == (4, 16, 16)
    assert prior.null_class == prior.num_classes == 12 and prior.class_names[:2] == ("bob", "bun")
    # The encoder's output is standardised, whatever the training has come to.
    with safe_open(tmp_path / "prior" / "latents.safetensors", "pt") as file:
        z = file.get_tensor("latents")
    assert z.mean((0, 2, 3)).abs().max() < 0.02 and (z.std((0, 2, 3)) - 1).abs().max() < 0.02
    state = load_file(tmp_path / "classifier" / "classifier.safetensors")
    FaceClassifier().load_state_dict(state)


def test_the_data_sets_own_reader_says_what_is_missing(tmp_path):
    from vipaint_pyro.datasets.fashion_mnist import fashion_mnist

    with pytest.raises(FileNotFoundError, match="dataset-fashion-mnist"):
        fashion_mnist("train", tmp_path)
    with pytest.raises(ValueError, match="'train' or 'test'"):
        fashion_mnist("valid", tmp_path)
