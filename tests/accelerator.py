"""An accelerator without one: tensors that are far away, and an error where two devices meet.

The device is called ``meta``, which torch knows everywhere; what lies there has its numbers on the CPU, inside a
wrapper. As on a real accelerator, numbers of no dimension and indices may come from the CPU, and nothing else.
"""

from __future__ import annotations

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map

FAR, NEAR = torch.device("meta"), torch.device("cpu")
#: Operations that go between devices, and those that take indices from the CPU.
BETWEEN = {"aten::_to_copy", "aten::copy_", "aten::_local_scalar_dense"}
INDEXED = {"aten::index", "aten::index_put", "aten::index_put_", "aten::_unsafe_index"}


class Far(torch.Tensor):
    """A tensor on the accelerator."""

    @staticmethod
    def __new__(cls, near):
        return torch.Tensor._make_wrapper_subclass(
            cls, near.size(), strides=near.stride(), storage_offset=near.storage_offset(),
            dtype=near.dtype, device=FAR, requires_grad=False,
        )  # fmt: skip

    def __init__(self, near):
        self.near = near.resolve_conj()  # what is conjugated later is not seen through a wrapper

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return run(func, args, kwargs or {})

    def tolist(self):
        return self.near.tolist()

    def __repr__(self):
        return f"Far({self.near!r})"


def near_of(value):
    return value.near if isinstance(value, Far) else value


def check(func, args, kwargs) -> None:
    """Raise RuntimeError where tensors of both devices meet."""
    name = func._schema.name
    if name in BETWEEN:
        return
    asked = args[:1] if name in INDEXED else (args, kwargs)
    tensors = [v for v in tree_leaves(asked) if isinstance(v, torch.Tensor) and v.ndim]
    if len({isinstance(v, Far) for v in tensors}) > 1:
        raise RuntimeError(f"{name}: tensors on two devices, {[(tuple(v.shape), str(v.device)) for v in tensors]}")


def run(func, args, kwargs):
    """An operation where its tensors are, or where it is told to be."""
    check(func, args, kwargs)
    device = kwargs.get("device")
    some = any(isinstance(v, Far) for v in tree_leaves((args, kwargs)))
    far = some if device is None else torch.device(device) == FAR
    if func._schema.name in ("aten::_local_scalar_dense", "aten::equal", "aten::is_same_size"):
        far = False
    if func._schema.name == "aten::copy_":
        far = isinstance(args[0], Far)
    given, options = tree_map(near_of, args), tree_map(near_of, kwargs)
    if device is not None:
        options["device"] = NEAR
    out = func(*given, **options)
    if not some and not far:
        return out
    if far:
        out = tree_map(lambda v: Far(v) if isinstance(v, torch.Tensor) and not isinstance(v, Far) else v, out)
        return return_and_correct_aliasing(func, args, kwargs, out)
    return out


class _Dispatch(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return run(func, args, kwargs or {})


class Accelerator(TorchFunctionMode):
    """A block in which the device ``meta`` computes."""

    def __enter__(self):
        self._dispatch = _Dispatch()
        self._dispatch.__enter__()
        return super().__enter__()

    def __exit__(self, *error):
        super().__exit__(*error)
        self._dispatch.__exit__(*error)

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        from_numbers = func in (torch.tensor, torch.as_tensor, torch.asarray)
        if from_numbers and kwargs.get("device") is not None and torch.device(kwargs["device"]) == FAR:
            del kwargs["device"]  # torch itself makes it without its numbers
            return func(*args, **kwargs).to(FAR)
        if func is torch.Tensor.new_tensor and isinstance(args[0], Far):
            return torch.tensor(args[1], **{"dtype": args[0].dtype, **kwargs}, device=NEAR).to(FAR)
        if func == torch.Tensor.data.__set__ and isinstance(args[0], Far):
            args[0].near.data = near_of(args[1])  # torch gives the wrapper another tensor, not what is in it
        return func(*args, **kwargs)
