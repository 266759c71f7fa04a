"""Every name that a package exports lazily is where it says."""

from importlib import import_module

import pytest


@pytest.mark.parametrize(
    "package", ["evaluation", "evaluation.ablation", "evaluation.under_the_mask", "datasets", "datasets.cartoon_faces"]
)
def test_exported_names_are_there(package):
    module = import_module(f"vipaint_pyro.{package}")
    for name in module.__all__:
        assert callable(getattr(module, name)) or name.isupper(), name
