"""Objects that a setting names by their dotted path: ``"Apps.Chat.money.encode"``."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from mojo.errors import SettingsError


def load_function(value: Any, setting: str) -> Callable[..., Any] | None:
    """
    Give a function, or import one; ``None`` for none.

    Raises:
        SettingsError: see `load`; or what is imported is no function.
    """
    if isinstance(value, str):
        value = load(value, setting)
        if not callable(value):
            raise SettingsError([f"{setting} is no function, but {type(value).__name__}"])
    function: Callable[..., Any] | None = value
    return function


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
