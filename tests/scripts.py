"""A script run in this process: one of its own would take seconds to import torch."""

from __future__ import annotations

import contextlib
import io
import random
import runpy
import subprocess
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy
import pyro
import pytest
import torch


@dataclass(frozen=True)
class Done:
    """What a script printed, and what it left with."""

    returncode: int
    stdout: str
    stderr: str


def run_script(path: Path, *arguments: str, cwd: Path) -> Done:
    """As ``python path arguments`` in the folder cwd; a script's own processes of scripts beside it run here, too.

    An exception that the script does not turn into an exit code is raised as it is.
    """
    out, err, code = io.StringIO(), io.StringIO(), 0
    with _as_in_a_process(path, arguments, cwd), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            runpy.run_path(str(path), run_name="__main__")
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
    return Done(code, out.getvalue(), err.getvalue())


@contextlib.contextmanager
def _as_in_a_process(path: Path, arguments: Sequence[str], cwd: Path) -> Iterator[None]:
    """Arguments, folder, modules beside the script and warnings are a process's own; random states are put back."""
    before, here, modules = random.getstate(), numpy.random.get_state(), set(sys.modules)
    dtype, called = torch.get_default_dtype(), subprocess.run

    def run(command, **options):
        if command[0] != sys.executable or Path(command[1]).parent != path.parent:
            return called(command, **options)
        done = run_script(Path(command[1]), *command[2:], cwd=Path.cwd())
        if options.get("check") and done.returncode:
            raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
        return done

    def check_output(command, **options):
        return run(command, check=True, **options).stdout

    with pytest.MonkeyPatch.context() as patch, contextlib.chdir(cwd), warnings.catch_warnings():
        patch.setattr(sys, "argv", [str(path), *arguments])
        patch.setattr(sys, "path", [str(path.parent), *sys.path])
        patch.setattr(subprocess, "run", run)
        patch.setattr(subprocess, "check_output", check_output)
        warnings.simplefilter("ignore")
        pyro.clear_param_store()
        try:
            yield
        finally:
            random.setstate(before)
            numpy.random.set_state(here)
            torch.set_default_dtype(dtype)
            pyro.clear_param_store()
            for name in set(sys.modules) - modules:
                file = getattr(sys.modules[name], "__file__", None)
                if file and Path(file).is_relative_to(path.parent):
                    del sys.modules[name]
