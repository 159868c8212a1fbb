"""
``twistd mojo``: the options, and the service that they make.

Whatever keeps a project from starting ends the start with one line that names the file,
the setting or the port, and an exit status that is not 0.
"""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any, ClassVar

from twisted.python import usage

from mojo import systemd
from mojo.draining import GOODBYE_SECONDS
from mojo.errors import LocalError
from mojo.heap import keep_freed_memory, uncollected

with uncollected():
    # Half of a start is these.
    from mojo.project.loader import Project, load_project
    from mojo.service import MojoService
    from mojo.settings import parse_override
    from mojo.signals import SecondSignal


class Options(usage.Options):
    """
    The command line of ``twistd mojo``.

    Attributes:
        project: the project, loaded; after the options were read.
    """

    synopsis = "[--project FOLDER] [--listen ENDPOINT]... [--redis URL] [--settings NAME=VALUE]..."
    longdesc = "Serve a Mojo project: its pages, and its apps by Socket.IO."
    optParameters: ClassVar[list[list[Any]]] = [
        ["redis", "r", None, "The URL of the Redis through which servers are one cluster."],
        ["project", "p", ".", "The project's folder, which holds settings.py."],
    ]

    project: Project

    def __init__(self) -> None:
        super().__init__()
        self["listen"] = []
        self["settings"] = []

    def opt_listen(self, endpoint: str) -> None:
        """Listen here, in place of what the settings say: 'tcp:8000', 'unix:/run/x', ..."""
        self["listen"].append(endpoint)

    opt_l = opt_listen

    def opt_settings(self, assignment: str) -> None:
        """NAME=VALUE: a setting in place of the project's; SOCKET_IO.path=/x/ is one key."""
        self["settings"].append(assignment)

    opt_s = opt_settings

    def postOptions(self) -> None:
        """Load the project, while an error still reaches the terminal."""
        try:
            overrides = [parse_override(assignment) for assignment in self["settings"]]
            if self["redis"] is not None:
                overrides.append(("REDIS", self["redis"]))
            self.project = load_project(self["project"], overrides)
        except LocalError as exc:
            raise SystemExit(_line(exc)) from exc


def makeService(options: Options, reactor: Any = None) -> MojoService:
    """
    Make the service of the project that the options name.

    Args:
        options: read from a command line.
        reactor: the global one by default.
    """
    if reactor is None:
        from twisted.internet import reactor  # noqa: PLC0415

    # twistd opens the ports after this, perhaps as a daemon: an exception there is told
    # to whoever started it, with a traceback unless we see to it.
    sys.excepthook = _excepthook
    # The process is ours, here and only here.
    keep_freed_memory()
    try:
        service = MojoService.from_project(
            reactor, options.project, endpoints=options["listen"] or None
        )
    except LocalError as exc:
        raise SystemExit(_line(exc)) from exc
    SecondSignal(reactor, service).setServiceParent(service)
    told = systemd.from_environment(reactor, service.settings.drain_seconds + GOODBYE_SECONDS)
    if told is not None:
        told.setServiceParent(service)
    return service


def _line(error: LocalError) -> str:
    return f"twistd mojo: {error}"


def _excepthook(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    if isinstance(error, LocalError):
        sys.stderr.write(_line(error) + "\n")
    else:
        sys.__excepthook__(kind, error, traceback)
