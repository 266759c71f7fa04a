"""The documentation site: ``make docs`` builds it from the pages here, README, model cards, notebooks and docstrings.

The source folder is the repository's root, so that every link that works on a code host works on the site, too.
Nothing is fetched: mathematics is MathML, and links to other sites are left alone.
"""

import os
import sys
from pathlib import Path

DOCS = Path(__file__).parent
ROOT = DOCS.parent
sys.path[:0] = [str(ROOT), str(DOCS / "_extensions")]
# The kernels of the notebooks import this checkout, too.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))

from vipaint_pyro import __version__ as release  # noqa: E402
from vipaint_pyro.datasets import FASHION_MNIST_FOLDER  # noqa: E402

project = "vipaint-pyro"
author = copyright = "the vipaint-pyro authors"
root_doc = "docs/index"
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "mathml",
    "own_names",
    "plain_words",
    "source_links",
]
include_patterns = [
    "docs/*.md",
    "docs/lesson/*.md",
    "docs/api/*.rst",
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "examples/notebooks/*.ipynb",
    "examples/figures/**.md",
    "examples/settings/*.md",
    "vipaint_pyro/assets/*-*/README.md",
    "vipaint_pyro/assets/photos/README.md",
]
exclude_patterns = [".venv", ".git", "build", "dist", "tests", "vipaint-*", "docs/_*", "**/.ipynb_checkpoints"]

nitpicky = True
# A word of torch's docstrings, and a class of matplotlib that is imported for the type checker alone.
nitpick_ignore = [("py:class", "ExpandedDistribution"), ("py:class", "Axes")]

html_theme = "furo"
html_title = f"vipaint-pyro {release}"
html_math_renderer = "mathml"
html_extra_path = ["_extra"]
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = html_copy_source = False
html_theme_options = {"navigation_with_keys": True}
pygments_style, pygments_dark_style = "tango", "monokai"

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
myst_dmath_double_inline = True

# A notebook is run when it has changed; the cache lies in docs/_build. Without running them, as they were kept:
# make docs SPHINXOPTS="-D nb_execution_mode=off".
nb_execution_mode = "cache"
nb_execution_cache_path = str(DOCS / "_build" / "notebooks")
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 1200
nb_merge_streams = True
nb_output_stderr = "remove"
if not Path(FASHION_MNIST_FOLDER).is_dir():  # its pictures are not there: shown as it was kept
    nb_execution_excludepatterns = ["05_dataset_prior.ipynb"]

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_typehints_format = "short"
autodoc_class_signature = "mixed"
autodoc_preserve_defaults = True
maximum_signature_line_length = 90
add_module_names = False
napoleon_numpy_docstring = False
napoleon_use_ivar = True
