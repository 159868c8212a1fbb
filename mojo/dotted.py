"""Objects that a setting names by their dotted path: ``"Apps.Chat.money.encode"``."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from mojo.errors import SettingsError


def load(path: str, setting: str) -> Any:
    """
    Import an object.

    Args:
        path: the module's name, a dot, and the object's name in it.
        setting: what names it, for the error.
    Raises:
        SettingsError: there is no such object, or its module cannot be imported.
    """
    module, _, name = path.rpartition(".")
    try:
        return getattr(import_module(module), name)
    except Exception as exc:  # the module's own code may raise anything
        problem = f"{type(exc).__name__}: {exc}"
        raise SettingsError([f"{setting} = {path!r} cannot be imported: {problem}"]) from exc
