"""Pages of HTML that hold their pictures, and need neither a server nor the net."""

from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from vipaint_pyro.pages.parts import as_text as as_text
    from vipaint_pyro.pages.parts import code as code
    from vipaint_pyro.pages.parts import details as details
    from vipaint_pyro.pages.parts import fact_list as fact_list
    from vipaint_pyro.pages.parts import figure as figure
    from vipaint_pyro.pages.whole import document as document
    from vipaint_pyro.pages.whole import head_of as head_of

__all__ = sorted(_EXPORTS)
__getattr__, __dir__ = exporting(__name__, _EXPORTS)
