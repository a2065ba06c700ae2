"""Settings of Sphinx; `tox -e docs` calls it from the root of the checkout."""

import inspect
import os

# Must be set before Keras is imported; JAX is the quickest to install.
os.environ.setdefault("KERAS_BACKEND", "jax")

from keras_slim import __version__

project = "keras_slim"
author = "The authors of keras_slim"
release = __version__
root_doc = "docs/index"
# Pages, results and notebooks stay where they are in the checkout.
include_patterns = [
    "docs/*.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "data/README.md",
    "experiments/benchmarks/README.md",
    "notebooks/*.ipynb",
    "results/**/README.md",
]
exclude_patterns = [".*", "runs", "build"]
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = f"keras_slim {release}"
myst_heading_anchors = 3
nb_execution_mode = "off"  # they are committed with their outputs
# Docstrings are those of Keras: headings as in Google's style, `code`.
default_role = "literal"
napoleon_custom_sections = [("Call arguments", "params_style")]
autodoc_member_order = "bysource"


def setup(app):
    """Shows the arguments of layers, which Keras hides behind `__new__`."""

    def signature(app, what, name, obj, options, given, returns):
        if what == "class" and given == "(*args, **kwargs)":
            whole = inspect.signature(obj.__init__)
            own = list(whole.parameters.values())[1:]
            return str(whole.replace(parameters=own)), returns

    app.connect("autodoc-process-signature", signature)
