"""Pages of HTML that hold their pictures, and need neither a server nor the net."""

from vipaint_pyro.lazily import exporting

_EXPORTS = {
    "as_text": "vipaint_pyro.pages.parts",
    "code": "vipaint_pyro.pages.parts",
    "details": "vipaint_pyro.pages.parts",
    "document": "vipaint_pyro.pages.whole",
    "fact_list": "vipaint_pyro.pages.parts",
    "figure": "vipaint_pyro.pages.parts",
    "head_of": "vipaint_pyro.pages.whole",
}

__all__ = sorted(_EXPORTS)
__getattr__, __dir__ = exporting(__name__, _EXPORTS)
