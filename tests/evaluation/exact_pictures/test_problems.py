"""Problems: the truth is a draw of the prior, y hides what the mask hides, and all are the same again."""

import pytest
import torch

from vipaint_pyro.evaluation.exact_pictures.atoms import ATOMS, STD, load_atoms
from vipaint_pyro.evaluation.exact_pictures.cells import CELLS, FEW, REPORTED, cell_named
from vipaint_pyro.evaluation.exact_pictures.problems import make_problem
from vipaint_pyro.evaluation.exact_pictures.scores import OFF, nearest
from vipaint_pyro.evaluation.exact_pictures.streams import stream


@pytest.mark.parametrize("name", [n for n in CELLS if n.startswith("garments")])
def test_a_problem_of_every_cell(atoms, name):
    cell = cell_named(name)
    problem, again, next_one = (make_problem(cell, i, atoms) for i in (1, 1, 0))
    assert torch.equal(problem.measurement.y, again.measurement.y) and torch.equal(problem.truth, again.truth)
    assert not torch.equal(problem.measurement.y, next_one.measurement.y)
    observed = problem.measurement.operator.observed
    assert int(observed.sum()) == (FEW if "few" in name else 392)
    residual = (problem.measurement.y - problem.truth)[observed.expand_as(problem.truth)]
    assert residual.std() == pytest.approx(cell.sigma, rel=0.6 if "few" in name else 0.1)
    assert not problem.measurement.y[~observed].any()
    _, distance = nearest(problem.truth, atoms.images)
    assert float(distance) > 0.5 if cell.outside else float(distance) == pytest.approx(STD, rel=0.1)


def test_weights_of_truths_are_calibrated(atoms):
    # The truth's picture is a draw of the posterior's: the mean weight that it has is that of its weights squared.
    own, square = [], []
    for i in range(300):
        problem = make_problem(cell_named("garments-few-0.2"), i, atoms)
        which, _ = nearest(problem.truth, atoms.images)
        own.append(problem.posterior.weights[which[0]])
        square.append(problem.posterior.weights.square().sum())
    own, square = torch.stack(own), torch.stack(square)
    assert square.mean() < 0.995  # some problems are open
    assert abs((own - square).mean()) < 3 * (own - square).std() / 300**0.5 + 1e-6


def test_cells_have_their_names():
    assert [c.name for c in REPORTED][:3] == ["garments-rotated-0.05", "garments-rotated-0.2", "garments-few-0.2"]
    assert all(cell_named(name).name == name for name in CELLS) and len(CELLS) == 12
    with pytest.raises(ValueError, match="no cell of pictures is called 'garments-few'. Did you mean 'garments-few-0"):
        cell_named("garments-few")


def test_streams_are_of_their_own():
    drawn = {torch.rand((), generator=stream(*key)).item() for key in (("a", 0, "x"), ("a", 1, "x"), ("a", 0, "y"))}
    assert len(drawn) == 3


def test_garments_are_training_garments():
    atoms = load_atoms("garments", 20, 3)
    assert atoms.images.shape == (20, 1, 28, 28) and atoms.images.dtype == torch.float64
    assert len(atoms.outside) == 3 and atoms.labels.shape == (20, 1) and atoms.classes == (10,)
    assert ATOMS == 2000 and float(torch.pdist(atoms.images.flatten(1)).min()) / 28 > 2 * OFF


def test_faces_are_drawn_once(tmp_path):
    atoms = load_atoms("faces", 3, 0, tmp_path)
    assert atoms.images.shape == (3, 3, 32, 32) and atoms.labels.shape == (3, 11) and len(atoms.classes) == 11
    before = {p: p.stat().st_mtime_ns for p in tmp_path.iterdir()}
    assert torch.equal(load_atoms("faces", 3, 0, tmp_path).images, atoms.images)
    assert before == {p: p.stat().st_mtime_ns for p in tmp_path.iterdir()} and len(before) == 1


def test_missing_garments_are_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="install Debian's package dataset-fashion-mnist"):
        load_atoms("garments", 20, 0, data=tmp_path)
