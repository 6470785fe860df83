"""Sphinx configuration: MyST pages, executed notebooks, the reference from docstrings."""

import importlib.util
import os
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
os.environ["PYTHONPATH"] = str(HERE.parent)  # for the kernels that run the notebooks

sys.path.insert(0, str(HERE))

import api  # noqa: E402
import equations  # noqa: E402

import sysid  # noqa: E402

shutil.rmtree(HERE / "reference", ignore_errors=True)
(HERE / "reference").mkdir()
for name, text in api.pages().items():
    (HERE / "reference" / f"{name}.md").write_text(text, encoding="utf-8")
(HERE / "equations.md").write_text(equations.page(), encoding="utf-8")

# Notebooks live beside the package; Sphinx reads only below its own folder.
shutil.rmtree(HERE / "notebooks", ignore_errors=True)
(HERE / "notebooks").mkdir()
for source in sorted((HERE.parent / "notebooks").glob("[0-9]*.py")):
    shutil.copy(source, HERE / "notebooks")

project = "sysid"
author = "The sysid developers"
copyright = "2026, the sysid developers"
version = release = sysid.__version__

# Formulas need no network: MathML, which browsers draw by themselves, or MathJax from the network where its converter is missing.
html_math_renderer = "mathml" if importlib.util.find_spec("latex2mathml") else "mathjax"
extensions = ["myst_nb", "mathml" if html_math_renderer == "mathml" else "sphinx.ext.mathjax"]
source_suffix = {".md": "myst-nb", ".py": "myst-nb"}
nb_custom_formats = {".py": ["jupytext.reads", {"fmt": "py:percent"}]}
nb_execution_mode = "cache"
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_merge_streams = True
exclude_patterns = ["_build", "conf.py", "equations.py", "mathml.py", "api.py"]
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence", "deflist"]
myst_heading_anchors = 3
suppress_warnings = ["mystnb.unknown_mime_type", "myst.xref_missing"]

html_theme = "furo"
html_title = "sysid"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
