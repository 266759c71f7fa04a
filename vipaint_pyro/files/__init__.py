"""Writing files and folders whole or not at all: aside first, in a folder that is locked, then moved into their place.

A folder named ``.vipaint-<twelve digits>.partial`` is what a killed process has left. The next that writes there puts
back or finishes what was half moved, and deletes it.
"""

from vipaint_pyro.files.checks import check_replaceable, check_writable
from vipaint_pyro.files.folders import replacing
from vipaint_pyro.files.own import check_own
from vipaint_pyro.files.scratch import is_scratch, sweep
from vipaint_pyro.files.writing import replacing_file, tensor_errors, write_picture, write_tensors, write_text

__all__ = [
    "check_own",
    "check_replaceable",
    "check_writable",
    "is_scratch",
    "replacing",
    "replacing_file",
    "sweep",
    "tensor_errors",
    "write_picture",
    "write_tensors",
    "write_text",
]
