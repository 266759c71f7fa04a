"""The lesson: every solution reaches its numbers, every exercise is its solution with one gap, and says which."""

import ast
import re
from pathlib import Path

import pytest

from tests.scripts import run_script

ROOT = Path(__file__).parent.parent
FOLDER, PAGES = ROOT / "examples" / "lesson", ROOT / "docs" / "lesson"
NAMES = sorted(p.stem.removeprefix("solution_") for p in FOLDER.glob("solution_*.py"))


def gaps(tree):
    """The functions that are still to be written."""
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
    return [f for f in functions if any(isinstance(n, ast.Raise) for n in f.body)]


def without(tree, name):
    """The program with this function's body left out."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == name:
            node.body = node.body[:1]  # the docstring
    return ast.dump(tree)


def test_there_are_six_of_each():
    exercises = sorted(p.stem.removeprefix("exercise_") for p in FOLDER.glob("exercise_*.py"))
    assert exercises == NAMES and [n[0] for n in NAMES] == list("123456")


@pytest.mark.parametrize("name", NAMES)
def test_an_exercise_is_its_solution_with_one_gap(name):
    exercise, solution = (ast.parse((FOLDER / f"{kind}_{name}.py").read_text()) for kind in ("exercise", "solution"))
    (gap,) = gaps(exercise)
    assert not gaps(solution)
    assert without(exercise, gap.name) == without(solution, gap.name)


@pytest.mark.battery
@pytest.mark.parametrize("name", NAMES)
def test_a_solution_reaches_its_end(name, tmp_path):
    done = run_script(FOLDER / f"solution_{name}.py", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("done\n")
    # The page of answers quotes the very numbers.
    answers = (PAGES / "answers.md").read_text()
    for number in re.findall(r": (-?\d\.\d{4})$", done.stdout, re.MULTILINE):
        assert number == "0.0000" or number == "-0.0000" or f"{float(number):.2f}" in answers, number
    assert name[0] != "6" or (tmp_path / "lesson-6.png").stat().st_size > 10_000


@pytest.mark.parametrize("name", NAMES[:3])
def test_an_exercise_says_what_is_to_be_written(name, tmp_path):
    done = run_script(FOLDER / f"exercise_{name}.py", cwd=tmp_path)
    assert done.returncode == 1 and done.stderr.startswith("to do: ") and done.stderr.count("\n") == 1


def test_a_wrong_answer_is_told_from_a_right_one(tmp_path):
    """The gap filled with the marginal of the wrong variance."""
    for path in FOLDER.glob("*.py"):
        (tmp_path / path.name).write_text(path.read_text())
    right = (tmp_path / "solution_1_noise.py").read_text()
    wrong = right.replace("alpha**2 * lab.STDS**2", "alpha * lab.STDS**2")
    assert wrong != right
    (tmp_path / "wrong.py").write_text(wrong)
    done = run_script(tmp_path / "wrong.py", cwd=tmp_path)
    assert done.returncode == 1 and done.stderr.startswith("not yet: it should be 0.0000, give or take 1e-09")


def test_the_pages_name_every_file():
    for page in ("exercises.md", "answers.md"):
        text = (PAGES / page).read_text()
        kind = "exercise" if page == "exercises.md" else "solution"
        assert set(re.findall(rf"examples/lesson/{kind}_(\w+)\.py", text)) == set(NAMES), page
