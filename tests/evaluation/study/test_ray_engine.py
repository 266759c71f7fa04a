"""Ray: the records of one process, bit for bit, whatever dies on the way; it is quiet, and is left as it was found."""

import os
import signal
import socket
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.evaluation.study.conftest import command, evaluate, records
from tests.evaluation.study.test_local import Deadly
from vipaint_pyro.cli.main import main
from vipaint_pyro.evaluation.study import ray_engine
from vipaint_pyro.evaluation.study.cluster import Cluster
from vipaint_pyro.evaluation.study.local import run_local
from vipaint_pyro.evaluation.study.plan import Plan
from vipaint_pyro.evaluation.study.ray_engine import RayEngine
from vipaint_pyro.evaluation.study.study import Study

pytest.importorskip("ray")
pytestmark = pytest.mark.slow  # Ray takes a while to start


@pytest.fixture(scope="module")
def cluster():
    """Ray of two CPUs, started once: what joins it in this process leaves it running."""
    with Cluster(cpus=2) as cluster:
        yield cluster
    assert not cluster.ray.is_initialized()


def small(images=2, methods=("dps:num_steps=2",), **options):
    study = Study(Plan("prior", "pictures", methods, ("rotated",), images=images, samples=1, labels="none", **options))
    return study, list(study.jobs(study.plan.items()))


def without_costs(outcomes):
    return {o.item: {k: v for k, v in o.record.items() if k not in ("seconds", "peak_memory_mib")} for o in outcomes}


def test_the_command_gives_the_bits_of_one_process(cluster, here):
    ray, local = evaluate("--engine", "ray", out="ray"), evaluate(out="local")
    assert ray.exit_code == local.exit_code == 0, ray.output
    assert records("ray") == records("local") and len(records("ray")) == 8
    for path in Path("local/samples").rglob("*.safetensors"):
        assert path.read_bytes() == (Path("ray") / path.relative_to("local")).read_bytes()
    assert sum(line.startswith("[") for line in ray.output.splitlines()) == 8
    assert not [line for line in ray.output.splitlines() if "(pid=" in line or "INFO" in line or "raylet" in line]
    assert cluster.ray.is_initialized()


def test_a_failing_image_is_the_same_record(cluster, here):
    (here / "pictures" / "1.png").write_bytes((here / "pictures" / "1.png").read_bytes()[:60])
    for engine in ("ray", "local"):
        result = evaluate("--engine", engine, conditions=["--masks", "rotated"], out=engine)
        assert result.exit_code == 1 and "2 of 4 items failed" in result.output, result.output
    assert records("ray") == records("local")


def test_what_raises_in_a_task_is_the_record_that_it_is_here(cluster, here):
    _, jobs = small(1)
    bad = [replace(jobs[0], num_samples=0), replace(jobs[0], settings={"num_steps": -1})]
    (ours,), (other,) = (list(RayEngine(cluster, "cpu")([job], 2, 1)) for job in bad)
    assert ours.record["error"] and other.record["error"]["type"] == "ValueError"
    assert [ours.record, other.record] == [o.record for o in run_local(bad)]


class KillsOnce:
    """SIGKILL to the process that reads it, the first time."""

    def __init__(self, mark):
        self.mark = str(Path(mark).resolve())

    def __reduce__(self):
        return _kill, (self.mark,)


def _kill(mark):
    if not Path(mark).exists():
        Path(mark).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return None


def test_the_item_of_a_killed_process_is_done_again(cluster, here):
    _, jobs = small(4)
    hurt = [jobs[0], replace(jobs[1], trouble=KillsOnce("mark")), *jobs[2:]]
    found = without_costs(RayEngine(cluster, "cpu")(hurt, 2, 1))
    assert (here / "mark").exists() and found == without_costs(run_local(jobs))


def test_a_process_killed_while_it_computes_costs_no_item_and_no_bit(cluster, here):
    """From outside, in the middle of an item."""
    import threading
    import time

    _, jobs = small(4, ("dps:num_steps=200",))
    killed = []

    def kill():
        while not killed:
            for entry in Path("/proc").glob("[0-9]*"):
                try:
                    title = (entry / "cmdline").read_bytes()
                    parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                    family = (Path("/proc") / str(parent) / "cmdline").read_bytes()
                except (OSError, ValueError):
                    continue
                if title.startswith(b"ray::_serve") and b"raylet" in family:
                    time.sleep(0.5)
                    os.kill(int(entry.name), signal.SIGKILL)
                    killed.append(int(entry.name))
                    return
            time.sleep(0.05)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    found = without_costs(RayEngine(cluster, "cpu")(jobs, 2, 1))
    thread.join(10)
    assert killed and found == without_costs(run_local(jobs))


def test_an_item_that_kills_three_processes_is_given_up_and_stops_no_other(cluster, here):
    _, (first, second) = small()
    (here / "lives").write_text("\n".join("x" * 3))
    found = {o.item.image: o.record for o in RayEngine(cluster, "cpu")(
        [replace(first, trouble=Deadly("lives")), second], 2, 1
    )}  # fmt: skip
    assert found[1]["error"] is None and (here / "lives").read_text() == ""
    assert found[0]["error"] == {"type": "Lost", "message": "the process that computed it died 3 times"}


def test_no_more_jobs_are_taken_than_there_are_workers(cluster, here):
    _, jobs = small(4)
    taken = []
    with closing(RayEngine(cluster, "cpu")((taken.append(j) or j for j in jobs), 2, 1)) as outcomes:
        next(outcomes)
        assert len(taken) == 2


@pytest.mark.parametrize("said", [{"torch": "0.1"}, {"python": "2.7"}])
def test_a_machine_with_other_versions_is_named_and_nothing_computed_there(cluster, here, monkeypatch, said):
    monkeypatch.setattr(ray_engine, "versions", lambda: said)
    result = evaluate("--engine", "ray")
    ((name, version),) = said.items()
    assert result.exit_code == 1 and not records(), result.output
    assert f"Error: {socket.gethostname()} (" in result.output and f", not {version})" in result.output
    assert f"has other versions than this machine ({name} " in result.output and len(result.output.splitlines()) == 1


def test_a_machine_with_another_prior_is_named(cluster, here):
    _, (job, _) = small()
    for changed, said in (
        ({"weights": "0" * 12}, "has other weights of prior prior than this machine: "),
        ({"prior": replace(job.prior, name="nowhere")}, "cannot load what this machine has loaded, prior nowhere"),
    ):
        with pytest.raises(ValueError, match=f"{socket.gethostname()} .*{said}"):
            list(RayEngine(cluster, "cpu")([replace(job, **changed)], 2, 1))


def test_what_raylets_report_is_kept_off_the_terminal(cluster, capsys):
    report = {"lines": ["Raylet is terminated"], "pid": "raylet", "is_err": False}
    cluster.ray._private.worker.print_to_stdstream(report, ignore_prefix=False)
    assert capsys.readouterr() == ("", "")


def test_how_many_tasks_there_is_room_for(cluster):
    assert (cluster.room("cpu", 1), cluster.room("cpu", 2)) == (2, 1)
    with pytest.raises(ValueError, match=r"no machine of Ray's has 3 CPUs \(--threads\): it has 2 CPUs"):
        cluster.room("cpu", 3)
    with pytest.raises(ValueError, match="has 1 CPUs .* and a GPU"):
        cluster.room("cuda", 1)


@pytest.mark.parametrize(
    "more, said",
    [
        (["--ray-address", "auto"], "--ray-address is of --engine ray"),
        (["--engine", "ray", "--ray-address", "somewhere"], "--ray-address is auto or HOST:PORT, but is 'somewhere'"),
        (["--engine", "ray", "--device", "cuda:1"], "--device is cpu or cuda with --engine ray"),
    ],
)
def test_what_does_not_go_together_is_refused(here, more, said):
    result = CliRunner().invoke(main, [*command(), *more])
    assert result.exit_code == 1 and said in result.output and len(result.output.splitlines()) == 1, result.output


def test_nobody_at_the_address_is_one_line_at_once():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(OSError, match=f"nobody answers at --ray-address {address}"):
        Cluster(address)._connect()
    with pytest.raises(OSError, match="no Ray can be joined by --ray-address 127.0.0.1:70000|nobody answers"):
        Cluster("127.0.0.1:70000")._connect()


@pytest.mark.long
def test_ctrl_c_takes_back_what_is_running_and_says_how_far_it_is(cluster, here, monkeypatch):
    cancelled, cancel = [], cluster.ray.cancel
    monkeypatch.setattr(cluster.ray, "cancel", lambda ref, force: cancelled.append(ref) or cancel(ref, force=force))
    wait, waits = cluster.ray.wait, []

    def interrupted(*args, **how):
        waits.append(args)
        if len(waits) == 2:
            raise KeyboardInterrupt
        return wait(*args, **how)

    monkeypatch.setattr(cluster.ray, "wait", interrupted)
    result = evaluate("--engine", "ray")
    assert result.exit_code == 130 and len(cancelled) == 2
    assert result.output.splitlines()[-1] == (
        "ended with 1 of 8 items done: the same command goes on from there; vipaint report out reports what is there"
    )
    assert cluster.ray.is_initialized()
    assert evaluate().exit_code == 0 and evaluate(out="local").exit_code == 0  # here: the tasks' processes have ended
    assert records() == records("local")
