"""What a study is to compute: a frozen list of items, and everything that their numbers depend on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace

from vipaint_pyro.evaluation.study.specs import Spec, check_chosen, chosen_for, file_name
from vipaint_pyro.measurements.masks import MASKS
from vipaint_pyro.measurements.tasks import TASKS
from vipaint_pyro.settings import checked, choice, number, switch, whole
from vipaint_pyro.wording import differences

__all__ = ["KEEP", "Item", "Plan", "check_condition", "merged"]

#: Which images' samples are kept: of the first eight, of all, of none.
KEEP = ("few", "all", "none")
_FEW = 8
#: Numbers do not depend on these: what is done already is a part of what is to be done.
_GROWS = ("methods", "conditions", "first", "images", "settings")


@dataclass(frozen=True)
class Item:
    """One image under one condition by one method."""

    image: int
    condition: str
    method: str


def check_condition(name: str) -> str:
    """The name of a condition; a ValueError with those that there are for any other."""
    if name not in MASKS and name not in TASKS:
        raise ValueError(f"no condition is called {name!r}: there are masks, {', '.join(MASKS)}, "
                         f"and tasks, {', '.join(TASKS)}")  # fmt: skip
    return name


@dataclass(frozen=True)
class Plan:
    """A study.

    Attributes:
        prior, variant, revision: of a prior as the command line takes them.
        data: "fashion-mnist", "cartoon-faces", "photos", a folder, or "hf:NAME".
        methods: specs; see :class:`~vipaint_pyro.evaluation.study.specs.Spec`.
        conditions: names of masks and of tasks.
        split: of the data.
        resize: whether pictures of another size are cropped and resized.
        first, images: the number of the first image, and how many there are.
        samples: per item.
        labels: "true", "none", or a file of prompts, one per line: the first line is that of image 0.
        guidance: weight of classifier-free guidance.
        seed: of everything random.
        lpips: "alex" or "vgg", perhaps with a file of its weights: "vgg:FILE".
        features: that KID and FID are on: "lpips-alex", "faces-classifier", "inception:FILE" or "none".
        settings: chosen settings by method and by condition.
        keep: whose samples are kept: "few", "all" or "none".
        device, dtype: where and in what precision the networks compute.
        threads: of torch, per worker: sums over threads are rounded by how many there are.
    """

    prior: str
    data: str
    methods: tuple[str, ...]
    conditions: tuple[str, ...]
    variant: str | None = None
    revision: str | None = None
    split: str = "test"
    resize: bool = False
    first: int = 0
    images: int = 20
    samples: int = 5
    labels: str = "true"
    guidance: float = 1.0
    seed: int = 0
    lpips: str = "alex"
    features: str = "lpips-alex"
    settings: Mapping = field(default_factory=dict)
    keep: str = "few"
    device: str = "cpu"
    dtype: str = "float32"
    threads: int = 1

    def __post_init__(self) -> None:
        for name in ("methods", "conditions"):
            values = tuple(getattr(self, name))
            if not values:
                raise ValueError(f"no {name[:-1]} is given: give at least one")
            twice = [v for i, v in enumerate(values) if v in values[:i]]
            if twice:
                raise ValueError(f"the {name[:-1]} {twice[0]!r} is given twice: give it once")
            object.__setattr__(self, name, values)
        for condition in self.conditions:
            check_condition(condition)
        names: dict[str, str] = {}
        for text in self.methods:
            Spec.of(text)
            other = names.setdefault(file_name(text), text)
            if other != text:
                raise ValueError(f"{other!r} and {text!r} would share their files: write them alike")
        for name, kind in _KINDS.items():
            checked(name, getattr(self, name), kind)
        object.__setattr__(self, "settings", check_chosen(self.settings))
        for condition in self.settings["conditions"]:
            check_condition(condition)

    @property
    def numbers(self) -> range:
        """The numbers of the images."""
        return range(self.first, self.first + self.images)

    def items(self) -> list[Item]:
        """All items, image by image, so that early results cover all methods."""
        return [Item(i, c, m) for i in self.numbers for c in self.conditions for m in self.methods]

    def keeps(self, image: int) -> bool:
        """Whether the samples of an image are kept."""
        return self.keep == "all" or (self.keep == "few" and image < self.first + _FEW)

    def chosen(self, method: str, condition: str) -> dict[str, object]:
        """The chosen settings of a method under a condition."""
        return chosen_for(self.settings, Spec.of(method), condition)

    def to_json(self) -> dict:
        """As JSON has it."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_json(cls, said: Mapping) -> Plan:
        """The same back; a study that knew no features has none.

        Raises:
            ValueError: where it is none.
        """
        known = [f.name for f in fields(cls)]
        odd = [name for name in said if name not in known]
        if odd:
            raise ValueError(f"a plan has no {odd[0]!r}")
        return cls(**{"features": "none", **said})


_KINDS = {
    "first": whole(0), "images": whole(), "samples": whole(), "seed": whole(0, 2**63 - 1), "threads": whole(),
    "guidance": number(least=0), "resize": switch(), "keep": choice(KEEP),
}  # fmt: skip


def merged(old: Plan, new: Plan) -> Plan:
    """What a folder holds once a plan is added to the one that is there.

    Raises:
        ValueError: where the numbers of items that are there would be other ones, with each difference, old -> new;
            or where images would be left out between the two.
    """
    fixed = [f.name for f in fields(Plan) if f.name not in _GROWS]
    changes = differences({n: getattr(old, n) for n in fixed}, {n: getattr(new, n) for n in fixed})
    conditions, methods = _both(old.conditions, new.conditions), _both(old.methods, new.methods)
    for method in old.methods:
        for condition in old.conditions:
            changes += _changed(old, new, method, condition)
    if changes:
        raise ValueError("; ".join(dict.fromkeys(changes)))
    first, stop = min(old.first, new.first), max(old.numbers.stop, new.numbers.stop)
    if max(old.first, new.first) > min(old.numbers.stop, new.numbers.stop):
        raise ValueError(
            f"images {old.first} ... {old.numbers.stop - 1} are there, {new.first} ... {new.numbers.stop - 1} would "
            "leave a gap"
        )
    settings = {
        "methods": {**old.settings["methods"], **new.settings["methods"]},
        "conditions": {
            c: {**old.settings["conditions"].get(c, {}), **new.settings["conditions"].get(c, {})}
            for c in _both(tuple(old.settings["conditions"]), tuple(new.settings["conditions"]))
        },
    }
    return replace(
        old, methods=methods, conditions=conditions, first=first, images=stop - first, settings=settings
    )


def _changed(old: Plan, new: Plan, method: str, condition: str) -> list[str]:
    before, now = old.chosen(method, condition), new.chosen(method, condition)
    where = f"of {method} under {condition}"
    return differences({f"{n} {where}": v for n, v in before.items()}, {f"{n} {where}": v for n, v in now.items()})


def _both(old: tuple, new: tuple) -> tuple:
    return (*old, *(v for v in new if v not in old))
