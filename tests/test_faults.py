"""Numbers that are not finite, and memory that does not suffice, in one line."""

import pickle

import pyro.distributions as dist
import pytest
import torch

from vipaint_pyro.faults import Fault, NonFiniteError, OutOfMemory, check_finite, fault_of, located

INF, NAN = float("inf"), float("nan")


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
def test_one_entry_is_enough(bad):
    x = torch.zeros(3, 4, 5)
    check_finite(x, "x")
    x[1, 2, 3] = bad
    with pytest.raises(NonFiniteError, match="^x is not finite$"):
        check_finite(x, "x")
    x[0, 0, 0] = -bad  # infinities of both signs
    with pytest.raises(NonFiniteError, match=r"^x is not finite \(time 7\)$"):
        check_finite(x, "x", 7)
    with pytest.raises(NonFiniteError, match="^x is not finite$"):
        check_finite(x, "x", torch.tensor([7]))  # of several times at once none is said


def test_a_sum_may_overflow():
    check_finite(torch.full((10,), 3e38), "x")


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 3.50 GiB. GPU 0 has"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried to "
                     "allocate 4000 bytes. Error code 12 (Cannot allocate memory)\nTrace Shapes:\n Param Sites:"),
        RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"),
        MemoryError("Unable to allocate 3.50 GiB for an array"),
    ],
)  # fmt: skip
def test_every_want_of_memory_is_known(error):
    with pytest.raises(OutOfMemory) as caught, located("fit", 3, 500, broken="no", memory="lower it"):
        raise error
    text = str(caught.value)
    assert text.startswith("out of memory") and text.endswith(" at fit step 3 (time 500); lower it")
    assert "\n" not in text and caught.value.__cause__ is error and isinstance(caught.value, MemoryError)
    for size in ("3.50 GiB", "4000 bytes"):
        assert size in str(error) or size not in text


@pytest.mark.parametrize(
    "make, said",
    [
        (lambda v: dist.Normal(v, 1.0), "the loc of Normal"),
        (lambda v: dist.Normal(0.0, v), "the scale of Normal"),
        (lambda v: dist.Normal(torch.zeros_like(v), 1.0).to_event(3).log_prob(v), "the value of Normal"),
    ],
)
def test_what_distributions_refuse_is_known(make, said):
    value = torch.ones(1, 30, 40)
    value[0, 15, 20] = NAN
    with pytest.raises(NonFiniteError, match=f"^{said} is not finite(, or out of its range)? in psis; fit longer$"):
        with located("psis", broken="fit longer", memory="no"):
            make(value)


def test_the_innermost_place_and_the_outermost_advice_count():
    with pytest.raises(NonFiniteError) as caught:
        with located("refinement", broken="outer"), located("smc", 2, 40, broken="inner"), located("x", memory="no"):
            check_finite(torch.tensor(NAN), "a particle", 9)
    assert str(caught.value) == "a particle is not finite in x (time 9); outer"
    assert (caught.value.name, caught.value.phase, caught.value.time) == ("a particle", "x", 9)


@pytest.mark.parametrize("error", [ValueError("size"), RuntimeError("shape"), KeyError("k"), OSError(28, "disk")])
def test_other_errors_pass_as_they_are(error):
    cause = KeyError("why")
    with pytest.raises(type(error)) as caught, located("fit"):
        raise error from cause
    assert caught.value is error and error.__cause__ is cause and fault_of(error) is None


def test_a_fault_is_what_it_was_called_before():
    assert issubclass(NonFiniteError, (Fault, FloatingPointError)) and issubclass(OutOfMemory, (Fault, MemoryError))
    error = NonFiniteError("x", time=3)
    error.place("fit", 1, None, "")
    assert str(pickle.loads(pickle.dumps(error))) == str(error) == "x is not finite at fit step 1 (time 3)"
