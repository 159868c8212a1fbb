"""
A worker: the process that serves a project for its parent.

It lives as long as its parent does.  The parent's pipe tells it that there is none any more, and a
thread sees to it that it ends also where the reactor does not turn.
"""

from __future__ import annotations

import faulthandler
import os
import select
import shutil
import signal
import sys
import threading
import time
from contextlib import suppress
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as LateError
from twisted.internet.error import ReactorNotRunning
from twisted.internet.stdio import StandardIO
from twisted.internet.task import LoopingCall
from twisted.logger import Logger, globalLogBeginner
from twisted.python.reflect import namedModule

from mojo.errors import LocalError
from mojo.heap import keep_freed_memory
from mojo.project.loader import load_project
from mojo.service import MojoService
from mojo.settings import parse_override
from mojo.workers.brief import FIRST_PORT, FROM_PARENT, LOADS, TO_PARENT, Brief
from mojo.workers.link import Link
from mojo.workers.loads import Loads, Turnstile
from mojo.workers.log import LineObserver
from mojo.workers.place import Place, slot_of
from mojo.workers.ports import Adopter, OpenPort, for_worker

_log = Logger()

#: Seconds that a worker has to end when its parent is gone.
ORPHAN_SECONDS = 5.0
#: Seconds in which the last that it says must have left.
LAST_WORDS_SECONDS = 2.0


def read_brief() -> Brief:
    """Wait for what the parent tells a worker first."""
    length = int.from_bytes(_read(4), "big")
    return Brief.from_json(_read(length))


def _read(count: int) -> bytes:
    read = b""
    while len(read) < count:
        piece = os.read(FROM_PARENT, count - len(read))
        if not piece:
            raise SystemExit("there is no parent")
        read += piece
    return read


def make_worker(brief: Brief, reactor: Any, link: Link) -> MojoService:
    """
    Make the service of a worker.

    Args:
        brief: what it was told.
        reactor: the reactor.
        link: leads to the parent.
    Raises:
        LocalError: the project cannot be loaded.
    """
    overrides = [parse_override(assignment) for assignment in brief.assignments]
    if brief.redis is not None:
        overrides.append(("REDIS", brief.redis))
    if brief.secret is not None:
        overrides.append(("COOKIE_SECRET", brief.secret))
    project = load_project(brief.project, overrides)
    place = Place(brief.name, brief.sockets, project.settings.socket_io.sid_prefix)
    ports = [OpenPort(number, family) for number, family in enumerate(brief.families, FIRST_PORT)]
    loads, slot = Loads(LOADS), slot_of(brief.name)

    def is_loaded() -> bool:
        load = service.stats.engine.active_sessions + len(service.site.channels)
        return loads.is_much(slot, load)

    service = MojoService.from_project(
        reactor,
        project,
        endpoints=[for_worker(endpoint) for endpoint in brief.endpoints],
        place=place,
        link=link,
        listens_by=Adopter(reactor, ports, partial(Turnstile, reactor, is_loaded)),
    )
    return service


def run() -> None:
    """Be a worker until it ends."""
    # The terminal's signals are for the parent, which tells us.
    os.setpgid(0, 0)
    for ignored in (signal.SIGINT, signal.SIGHUP):
        signal.signal(ignored, _ignore)
    brief = read_brief()
    for number in range(FROM_PARENT, FIRST_PORT + len(brief.families)):
        os.set_inheritable(number, False)
    output = os.dup(1)
    globalLogBeginner.beginLoggingTo([LineObserver(output)])
    threading.Thread(target=_end_with_parent, args=(os.dup(TO_PARENT),), daemon=True).start()
    # A parent that hears nothing of us wants to know where we are, before it ends us.
    faulthandler.register(signal.SIGQUIT, 2)
    reactor = _install(brief.reactor)
    keep_freed_memory()
    link = Link(reactor, brief.most)
    # A service speaks while it is made: of what it wants to hear.
    StandardIO(link, FROM_PARENT, TO_PARENT, reactor)  # type: ignore[call-arg]
    try:
        service = make_worker(brief, reactor, link)
        _serve(reactor, brief, service, link)
    except LocalError as exc:
        _log.error("{error}", error=str(exc))
        sys.exit(1)
    except Exception:
        _log.failure("the worker could not start")
        sys.exit(1)
    reactor.run()


def _ignore(number: int, frame: Any) -> None:
    """Do nothing; unlike SIG_IGN, what an app starts does not inherit it."""


def _install(module: str) -> Any:
    installer = getattr(namedModule(module), "install", None)
    if installer is not None and "twisted.internet.reactor" not in sys.modules:
        installer()
    from twisted.internet import reactor  # noqa: PLC0415

    return reactor


def _serve(reactor: Any, brief: Brief, service: MojoService, link: Link) -> None:
    service.privilegedStartService()
    service.startService()
    # Both before it: what has not left when that begins is lost, for the reactor closes all pipes.
    reactor.addSystemEventTrigger("before", "shutdown", partial(_leave, reactor, service, link))

    def stop() -> None:
        # Told twice in one turn, as by systemd and by the parent, it stops already.
        with suppress(ReactorNotRunning):
            reactor.stop()

    def orphaned() -> None:
        if not service.stopping:
            _log.error("there is no parent any more")
            stop()
            shutil.rmtree(brief.folder, ignore_errors=True)
        service.hurry()

    link.gone = orphaned
    link.told["retire"] = lambda _: Deferred.fromCoroutine(service.stop_listening())
    link.told["hurry"] = lambda _: service.hurry()

    def begin() -> None:
        # After Twisted's own, which would stop a second time and fail.
        signal.signal(signal.SIGTERM, lambda *_: reactor.callFromThread(stop))
        signal.signal(signal.SIGINT, _ignore)
        link.tell("ready")
        if brief.sign_seconds is not None:
            living = LoopingCall(link.tell, "alive")
            living.clock = reactor
            living.start(brief.sign_seconds, now=False)

    reactor.callWhenRunning(begin)


async def _stop(reactor: Any, service: MojoService, link: Link) -> None:
    try:
        await service.stopService()
    finally:
        link.gone = lambda: None
        try:
            await link.close().addTimeout(LAST_WORDS_SECONDS, reactor)
        except LateError:
            _log.warn("the parent has not taken all that was said")


def _leave(reactor: Any, service: MojoService, link: Link) -> Deferred[None]:
    return Deferred.fromCoroutine(_stop(reactor, service, link))


def _end_with_parent(pipe: int) -> None:
    """Wait until nobody reads a pipe any more; then end, whatever there is."""
    poll = select.poll()
    poll.register(pipe, 0)
    poll.poll()
    time.sleep(ORPHAN_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)
