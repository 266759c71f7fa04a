"""Processes that are ended at the n-th thing they do on the disk: forked, since importing torch takes seconds."""

import os
import signal
import sys
import traceback

from vipaint_pyro.files import folders

#: What a process does on the disk; Python says so before it is done.
EVENTS = {
    "open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod", "os.listdir", "os.scandir", "shutil.rmtree",
    "fcntl.flock",
}  # fmt: skip
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


def forked(action, at=None, by=signal.SIGKILL, writing=False):
    """Do it in a process of its own, which gets a signal at one of its events.

    Args:
        action: called without arguments.
        at: the number of the event; None for none.
        by: the signal.
        writing: whether only what it does in scratch folders counts.

    Returns:
        The exit status, minus the signal where that ended it; and how many events there were, all and while it wrote.
    """
    out, into = os.pipe()
    child = os.fork()
    if child:
        os.close(into)
        _, status = os.waitpid(child, 0)
        with os.fdopen(out, "rb") as said:
            count = said.read()
        return os.waitstatus_to_exitcode(status), *map(int, count.split())
    status = 70
    try:
        os.close(out)
        silent = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(silent, stream)
        status = _child(action, at, by, writing, into)
    finally:
        os._exit(status)


def _child(action, at, by, writing, into):
    counts = [0, 0]

    def seen(in_scratch):
        counts[0] += 1
        counts[1] += in_scratch
        if counts[writing] == at and (in_scratch or not writing):
            os.kill(os.getpid(), by)

    def hook(event, arguments):
        if event in EVENTS:
            seen(any(".vipaint-" in str(a) for a in arguments))

    exchange = folders._exchange

    def exchanged(one, other):  # which Python does not announce
        seen(True)
        exchange(one, other)
        seen(True)

    folders._exchange = exchanged
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.stdout = sys.stderr = open(os.devnull, "w")
    sys.addaudithook(hook)
    try:
        action()
        status = 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
    except KeyboardInterrupt:
        status = 130
    except BaseException:
        with open(os.environ.get("VIPAINT_KILLS", os.devnull), "a") as file:
            traceback.print_exc(file=file)
        status = 71
    os.write(into, "{} {}".format(*counts).encode())
    return status
