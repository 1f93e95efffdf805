"""How Sphinx builds these pages: `sphinx-build -W docs docs/_build/html`.

It needs `pip install '.[docs]'`. Notebooks are shown as they are kept, and not
run.
"""

import sys
from pathlib import Path

import jaxlic

sys.path.insert(0, str(Path(__file__).parent))

project = "jaxlic"
author = "the authors of jaxlic"
version = release = jaxlic.__version__

extensions = [
  "myst_nb",
  "sphinx.ext.autodoc",
  "sphinx.ext.napoleon",
  "docstrings",
  "signatures",
]
exclude_patterns = ["_build", "colabs/run.py"]
html_theme = "furo"
html_title = f"jaxlic {version}"
html_show_copyright = False

highlight_language = "none"  # of blocks that name no language
nb_execution_mode = "off"
myst_heading_anchors = 3

default_role = "code"  # of `names` in docstrings
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80
napoleon_numpy_docstring = False
