"""Dataclasses of settings whose values are checked when they are made, all of them at once."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import Field, field, fields
from typing import Any, ClassVar

from mojo.checks import Check
from mojo.errors import SettingsError


def setting(default: Any, check: Check, *, shown: bool = True) -> Any:
    """
    Declare a setting.

    Args:
        default: its value unless it is given; of a list or a dict each gets its own.
        check: see `mojo.checks`.
        shown: whether it is in the ``repr``, which no secret may be.
    """
    metadata = {"check": check}
    if isinstance(default, list | dict):
        return field(default_factory=lambda: type(default)(default), metadata=metadata)
    return field(default=default, metadata=metadata, repr=shown)


class Checked:
    """Settings that are right from the start, also those that are made in code."""

    __slots__ = ()

    #: Makes of an attribute's name what its author calls it.
    label: ClassVar[Callable[[str], str]] = str.upper

    def __post_init__(self) -> None:
        problems: list[str] = []
        for f in fields(self):  # type: ignore[arg-type]
            value = getattr(self, f.name)
            problem = _problem_of(f, value)
            if problem is not None:
                problems.append(f"{type(self).label(f.name)} {problem}")
            elif isinstance(value, list):
                object.__setattr__(self, f.name, tuple(value))
        if problems:
            raise SettingsError(problems)


def take_good(
    kind: type[Checked], values: dict[str, Any], problems: list[str], *, strict: bool = False
) -> dict[str, Any]:
    """
    Take from some values those that are settings of a kind, and are good.

    Args:
        kind: the dataclass.
        values: by the attributes' names.
        problems: gets a sentence for each that is not good.
        strict: whether there may be no others, or else only none with nearly such a name.
    """
    label = kind.label
    known: dict[str, Field[Any]] = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]
    good: dict[str, Any] = {}
    for name, value in values.items():
        if name not in known:
            close = difflib.get_close_matches(str(name), known, n=1, cutoff=0.8)
            hint = f"; did you mean {label(close[0])}?" if close else ""
            # A project may have upper-case names of its own, but a near miss is a slip.
            if strict or close:
                problems.append(f"{label(name)} is no setting of Mojo{hint}")
            continue
        problem = _problem_of(known[name], value)
        if problem is not None:
            problems.append(f"{label(name)} {problem}")
        else:
            good[name] = value
    return good


def _problem_of(f: Field[Any], value: Any) -> str | None:
    check: Check | None = f.metadata.get("check")
    return check(value) if check is not None else None
