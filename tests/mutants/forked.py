"""Running tests in a child of this process, which has imported what is heavy and slow to import already.

The parent must not have imported the package under test: each child imports it from a copy of its own.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

from tests.mutants.listed import ROOT

__all__ = ["Child", "copied", "warm"]

#: What the tests and the package import, and what takes its time.
_HEAVY = (
    "torch", "torch.utils.checkpoint", "torch.utils._pytree", "torchvision", "pyro", "pyro.infer",
    "pyro.infer.autoguide", "pyro.optim", "pyro.ops.stats", "lpips", "scipy.stats", "scipy.ndimage", "numpy",
    "PIL.Image", "PIL.ImageOps", "PIL.ImageCms", "matplotlib.figure", "safetensors.torch", "click.testing", "tqdm",
    "hypothesis", "pytest", "zuko.flows",
)  # fmt: skip
_OF_DIFFUSERS = (
    "DDPMScheduler", "DDIMScheduler", "EDMEulerScheduler", "ScoreSdeVeScheduler", "FlowMatchEulerDiscreteScheduler",
    "UNet2DModel", "UNet2DConditionModel", "DiTTransformer2DModel", "SD3Transformer2DModel", "FluxTransformer2DModel",
    "AutoencoderKL", "VQModel", "DiffusionPipeline", "ConfigMixin", "ModelMixin",
)  # fmt: skip
_FOLDERS = ("vipaint_pyro", "models", "guides")


def warm() -> None:
    """Import the package's dependencies, and nothing of the package."""
    os.environ["OMP_NUM_THREADS"] = "1"
    for name in _HEAVY:
        try:
            importlib.import_module(name)
        except ImportError:  # an extra that is not installed: its tests say so
            continue
    diffusers = importlib.import_module("diffusers")
    for name in _OF_DIFFUSERS:
        getattr(diffusers, name)
    gc.collect()
    gc.freeze()  # or each child's collector would copy what it only looks at
    if any(name.split(".")[0] == "vipaint_pyro" for name in sys.modules):
        raise RuntimeError("the package itself is imported already: its copies would not be looked at")


def copied(folder: Path) -> Path:
    """The working tree as git knows it, copied to ``folder``."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())
    # By its hash: two mutants of one size within one second would else be the same to Python.
    every = [str(folder / name) for name in _FOLDERS]
    command = [sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "checked-hash", *every]
    subprocess.run(command, check=True)
    return folder


class Child:
    """pytest on a copy of the tree, in a process of its own.

    Args:
        folder: the copy.
        arguments: of pytest: tests, and what is left out.
        limit: seconds after which it is ended.
    """

    def __init__(self, folder: Path, arguments: tuple[str, ...], limit: float) -> None:
        self.folder, self.output = folder, folder / "output.txt"
        self.begun, self.limit = time.monotonic(), limit
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if not self.pid:
            code = 70  # what is no status of pytest's
            try:
                code = self._run(arguments)
                sys.stdout.flush()
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)

    def poll(self) -> int | None:
        """The exit status of pytest; None while it runs, -1 where it ran out of time or was ended by a signal."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else -1
        if time.monotonic() - self.begun > self.limit:
            self.end()
            return -1
        return None

    def end(self) -> None:
        """End it, with the processes that it started."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:  # it has not made its group yet
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)

    def failed(self) -> str:
        """The first test that failed, or what pytest said last."""
        lines = self.output.read_text(errors="replace").splitlines()
        named = [line.split(" ")[1] for line in lines if line.startswith(("FAILED ", "ERROR "))]
        return named[0] if named else next((line for line in reversed(lines) if line.strip()), "")

    def _run(self, arguments: tuple[str, ...]) -> int:
        os.setpgid(0, 0)
        out = os.open(self.output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream in (1, 2):
            os.dup2(out, stream)
        os.chdir(self.folder)
        os.environ["PYTHONPATH"] = str(self.folder)  # of the processes that tests start
        # pytest's plugins are imported already, too late for it to rewrite them, and none is needed.
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        sys.path[:] = [str(self.folder), *(p for p in sys.path if Path(p or ".").resolve() not in (ROOT, self.folder))]
        for name in [n for n in sys.modules if n.split(".")[0] == "tests"]:
            del sys.modules[name]
        importlib.invalidate_caches()
        pytest = importlib.import_module("pytest")
        plain = ("-x", "-q", "--slow", "none", "-p", "no:cacheprovider")
        return int(pytest.main([*plain, *arguments]))
