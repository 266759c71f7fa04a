"""What is in a folder, and processes that are killed in it."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def permissions(path):
    return path.stat().st_mode & 0o777


@contextmanager
def umask(mask):
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def started(code, *arguments):
    """Another Python that runs this, with its output to be read."""
    command = [sys.executable, "-c", f"import os, sys, time\n{code}", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def killed(code, *arguments):
    """Run this up to where it says "now", and kill it there."""
    with started(code, *arguments) as process:
        assert process.stdout.readline() == "now\n"
        process.kill()
    assert process.returncode == -signal.SIGKILL
