"""The folder with a tiny prior and pictures that studies are tested in."""

from tests.evaluation.study.conftest import here

__all__ = ["here"]
