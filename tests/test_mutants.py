"""The list of mutants (``make mutants``) fits the code, and a sample of it is killed."""

import re
import subprocess
import sys

import pytest

from tests.mutants.listed import ROOT, NotFound, read


def test_every_pattern_is_there_once_and_makes_another_program():
    missing = []
    for mutant in read():
        try:
            text = mutant.source()
        except NotFound as error:
            missing.append(str(error))
            continue
        compile(text, mutant.file, "exec")
        assert text != (ROOT / mutant.file).read_text()
    assert not missing, "\n".join(missing)


def test_no_mutant_is_listed_twice_and_its_tests_are_there():
    mutants = read()
    assert len(mutants) == len({(m.file, m.old, m.new) for m in mutants}) >= 650
    for test in {test for m in mutants for test in m.tests}:
        path, _, name = test.partition("::")
        assert (ROOT / path).is_file() and f"def {name}" in (ROOT / path).read_text(), test


@pytest.mark.slow
def test_a_sample_is_killed(tmp_path):
    command = [sys.executable, "-m", "tests.mutants.run", "--quick", "--sample", "8", "--narrow", "--no-baseline"]
    result = subprocess.run([*command, "--kept", tmp_path], cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(r"^[78] of 8 killed", result.stdout, re.MULTILINE)
