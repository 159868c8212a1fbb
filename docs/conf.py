"""Sphinx's settings: ``sphinx-build -W docs docs/_build``."""

from importlib.metadata import version as installed_version

project = "Mojo"
author = "the Mojo authors"
copyright = "2026, the Mojo authors"
release = version = installed_version("mojo")

extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
# One backquote is what the docstrings use for names of this project.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "description"
napoleon_use_ivar = True
html_theme = "alabaster"
html_theme_options = {"description": "The real-time application server for Twisted"}
