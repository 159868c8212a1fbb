r"""
URL patterns: a regular expression for a handler, or a prefix for a resource.

``urlpatterns = [(r"/", Home), (r"/room/(\w+)", Room), ("/files/", static.File("x"))]``.
The patterns of all apps are held against the whole path, in the order of the apps; the
first that matches wins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.web.resource import IResource

from mojo.errors import ProjectError
from mojo.web.handler import MojoRequestHandler


@dataclass(frozen=True, slots=True)
class Page:
    """
    A handler behind a pattern.

    Attributes:
        pattern: matches the whole path, percent-decoded.
        handler: the class.
        app: the name of its app.
        source: where it is declared, for the errors.
    """

    pattern: re.Pattern[str]
    handler: type[MojoRequestHandler]
    app: str
    source: str

    def match(self, path: str) -> tuple[Sequence[Any], Mapping[str, Any]] | None:
        """Give what the pattern's groups hold, as the method's arguments."""
        found = self.pattern.fullmatch(path)
        if found is None:
            return None
        named = found.groupdict()
        return ((), named) if named else (found.groups(), {})


@dataclass(frozen=True, slots=True)
class Prefix:
    """
    A resource behind a prefix.

    Attributes:
        path: such as ``"/files"``, without a slash at the end.
        resource: what serves everything below.
    """

    path: str
    resource: IResource


def read_patterns(patterns: Iterable[Any], app: str, source: str) -> Iterable[Page | Prefix]:
    """
    Read the ``urlpatterns`` of an app.

    Args:
        patterns: the list.
        app: the app's name.
        source: the file, for the errors.
    Raises:
        ProjectError: an entry is no pattern; the message names file and entry.
    """
    for number, entry in enumerate(patterns):
        where = f"{source}: urlpatterns[{number}]"
        if not isinstance(entry, tuple | list) or len(entry) != 2 or not isinstance(entry[0], str):
            raise ProjectError(f"{where} must be a pair (pattern, handler or resource)")
        pattern, target = entry
        if not pattern.startswith("/"):
            raise ProjectError(f"{where}: {pattern!r} must begin with a slash")
        if isinstance(target, type) and issubclass(target, MojoRequestHandler):
            try:
                yield Page(re.compile(pattern), target, app, source)
            except re.error as exc:
                raise ProjectError(f"{where}: {pattern!r} is no regular expression: {exc}") from exc
        elif IResource.providedBy(target):
            yield Prefix(pattern.rstrip("/"), target)
        else:
            raise ProjectError(
                f"{where}: {target!r} is neither a MojoRequestHandler nor a resource"
            )
