"""
``twistd mojo``: the options, and the service that they make.

Whatever keeps a project from starting ends the start with one line that names the file,
the setting or the port, and an exit status that is not 0.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar

from twisted.internet.task import Clock
from twisted.python import usage

from mojo.heap import keep_freed_memory, uncollected

with uncollected():
    # Half of a start is these, and what they import.
    from mojo import systemd
    from mojo.draining import GOODBYE_SECONDS
    from mojo.errors import LocalError
    from mojo.project.loader import Project, load_project, load_settings
    from mojo.service import MojoService
    from mojo.settings import Settings, parse_override
    from mojo.signals import SecondSignal

if TYPE_CHECKING:
    from mojo.workers.parent import Parent


class Options(usage.Options):
    """
    The command line of ``twistd mojo``.

    Attributes:
        project_settings: the project's, after the options were read.
        overrides: what there is in place of some of them.
        workers: how many processes there are to be.
        has_parent: whether they are workers, also if there is one.
    """

    synopsis = (
        "[--project FOLDER] [--listen ENDPOINT]... [--redis URL] [--workers N] "
        "[--settings NAME=VALUE]..."
    )
    longdesc = "Serve a Mojo project: its pages, and its apps by Socket.IO."
    optParameters: ClassVar[list[list[Any]]] = [
        ["redis", "r", None, "The URL of the Redis through which servers are one cluster."],
        ["project", "p", ".", "The project's folder, which holds settings.py."],
        ["workers", "w", None, "How many processes serve it; 'auto' for one on each processor."],
    ]

    project_folder: Path
    project_settings: Settings
    overrides: list[tuple[str, Any]]
    workers: int
    has_parent: bool
    _project: Project | None = None

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
            self.overrides = [parse_override(assignment) for assignment in self["settings"]]
            if self["redis"] is not None:
                self.overrides.append(("REDIS", self["redis"]))
            if self["workers"] is not None:
                self.overrides.append(parse_override(f"WORKERS={self['workers']}"))
            self.project_folder, settings = load_settings(self["project"], self.overrides)
            self.project_settings = settings
            self.workers = count_workers(settings.workers)
            # What reloads by SIGHUP on a machine of four processors does so on one of one, where
            # a process without a parent would be ended by that.
            self.has_parent = self.workers > 1 or settings.workers == "auto"
            if not self.has_parent:
                self._project = self.load()
        except LocalError as exc:
            raise SystemExit(_line(exc)) from exc

    def load(self) -> Project:
        """
        Load the project, with its apps.

        Raises:
            ProjectError: it cannot be loaded.
        """
        return self._project or load_project(self["project"], self.overrides)


def count_workers(setting: int | str) -> int:
    """Give the number of workers that a setting says; ``"auto"`` is as many as may run at once."""
    if not isinstance(setting, str):
        return setting
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


def makeService(options: Options, reactor: Any = None) -> MojoService | Parent:
    """
    Make the service of the project that the options name, or the parent of its workers.

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
        service: MojoService | Parent
        if options.has_parent:
            service = _make_parent(options, reactor)
        else:
            service = MojoService.from_project(
                reactor, options.load(), endpoints=options["listen"] or None
            )
    except LocalError as exc:
        raise SystemExit(_line(exc)) from exc
    SecondSignal(reactor, service).setServiceParent(service)
    told = systemd.from_environment(reactor, service.settings.drain_seconds + GOODBYE_SECONDS)
    if told is not None:
        if isinstance(service, MojoService):
            told.setServiceParent(service)
        else:
            service.tell_systemd(told)
    return service


def _make_parent(options: Options, reactor: Any) -> Parent:
    """Make the parent of several workers; each of them loads the project for itself."""
    from mojo.workers.parent import Orders, Parent, try_out  # noqa: PLC0415

    try_out(lambda: MojoService.from_project(Clock(), options.load(), endpoints=()), _line)
    settings = options.project_settings
    orders = Orders(
        project=options.project_folder,
        name=settings.project_name or options.project_folder.name,
        workers=options.workers,
        assignments=options["settings"],
        redis=options["redis"],
        endpoints=options["listen"] or settings.endpoints,
    )
    return Parent(reactor, settings, orders)


def _line(error: LocalError) -> str:
    return f"twistd mojo: {error}"


def _excepthook(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    if isinstance(error, LocalError):
        sys.stderr.write(_line(error) + "\n")
    else:
        sys.__excepthook__(kind, error, traceback)
