"""
The parent of a project's workers: it opens the ports, keeps the workers, and serves nobody.

It loads the project's settings and none of its apps, so that a worker that is started anew, as at a
reload, finds everything as it is then.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.logger import Logger

from mojo.draining import GOODBYE_SECONDS
from mojo.errors import ListenError, LocalError
from mojo.listening import Listening
from mojo.parts import make_banner
from mojo.secret_files import new_secret
from mojo.sessions.memory_store import MemoryStore
from mojo.settings import Settings
from mojo.workers import frames
from mojo.workers.brief import Brief
from mojo.workers.hub import Hub
from mojo.workers.loads import Loads
from mojo.workers.place import slot_of
from mojo.workers.ports import Holder
from mojo.workers.process import WorkerProcess, start_worker
from mojo.workers.store import serve_sessions
from mojo.workers.supervisor import SILENT_LOOKS, Running, Supervisor

_log = Logger()

#: Seconds beyond those of a drain after which a worker that has not ended is killed.
STOP_MARGIN = 10.0
#: The most bytes of the folder of the workers' sockets: the path of one has 103 on some systems,
#: of which its name may take 16.
MAX_FOLDER = 87


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """
    What a command line says.

    Attributes:
        project: the project's folder.
        name: what the banner calls it.
        workers: how many there are to be.
        assignments: its settings, as text.
        redis: the URL of a Redis; ``None`` if it says nothing of one.
        endpoints: where to listen.
    """

    project: Path
    name: str
    workers: int
    assignments: Sequence[str]
    redis: str | None
    endpoints: Sequence[str]


def try_out(make: Callable[[], object], line_of: Callable[[LocalError], str]) -> None:
    """
    Make something in a process of its own, to see whether it can be made; end this one if not.

    Nothing of a project is loaded here for that.

    Args:
        make: makes it.
        line_of: gives what is written to the terminal of an error.
    Raises:
        SystemExit: it could not be made.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            make()
            status = 0
        except LocalError as exc:
            sys.stderr.write(line_of(exc) + "\n")
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    _, status = os.waitpid(child, 0)
    if status:
        raise SystemExit(1)


def make_folder() -> str:
    """
    Make the folder of the workers' sockets, for this user alone.

    Raises:
        ListenError: it cannot be made, or no socket could be in it.
    """
    try:
        folder = tempfile.mkdtemp(prefix="mojo-workers-")
    except OSError as exc:
        raise ListenError(f"cannot make a folder for the workers' sockets: {exc}") from exc
    if len(os.fsencode(folder)) > MAX_FOLDER:
        os.rmdir(folder)
        raise ListenError(
            f"{folder!r} is too long a path for the workers' sockets: set TMPDIR to a shorter one"
        )
    return folder


def make_loads(workers: int) -> IO[bytes]:
    """
    Make the file of the workers' `Loads`.

    Raises:
        ListenError: it cannot be made.
    """
    try:
        return Loads.make(workers)
    except OSError as exc:
        raise ListenError(f"cannot make a file for the workers' loads: {exc}") from exc


class Parent(MultiService):
    """
    The parent.

    Args:
        reactor: the reactor.
        settings: the project's settings.
        orders: what the command line says.

    Attributes:
        settings: see above.
        stopping: whether it stops, or was stopped.
        hub: what joins the workers.
        supervisor: keeps them.
    """

    def __init__(self, reactor: Any, settings: Settings, orders: Orders) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.settings = settings
        self.stopping = False
        self._reactor = reactor
        self._orders = orders
        self._ports = Holder(reactor)
        self._listening = Listening(self._ports, orders.endpoints, Factory())
        most = frames.most_for(settings.socket_io.max_buffered, settings.session_max_size)
        self.hub = Hub(reactor, most)
        # Whatever SESSION_STORE is now: a reload may bring workers that have their sessions here.
        store = MemoryStore(
            reactor,
            max_age=settings.session_max_age,
            max_size=settings.session_max_size,
            max_bytes=settings.session_memory,
        )
        serve_sessions(self.hub, store)
        has_secret = settings.cookie_secret or settings.cookie_secret_file or settings.cookie_signer
        self._brief = Brief(
            name="",
            folder="",
            project=str(orders.project),
            assignments=orders.assignments,
            redis=orders.redis,
            secret=None if has_secret else new_secret(),
            endpoints=orders.endpoints,
            families=(),
            reactor=type(reactor).__module__,
            most=most,
            sign_seconds=settings.worker_timeout and settings.worker_timeout / SILENT_LOOKS,
        )
        stop_seconds = settings.drain_seconds + GOODBYE_SECONDS + STOP_MARGIN
        self.supervisor = Supervisor(
            reactor, orders.workers, self._spawn, stop_seconds, settings.worker_timeout
        )
        self.supervisor.setServiceParent(self)  # type: ignore[no-untyped-call]
        ReloadSignal(reactor, self.supervisor.reload).setServiceParent(self)  # type: ignore[no-untyped-call]

    def privilegedStartService(self) -> None:
        """
        Open the ports, while that may still be allowed.

        Raises:
            ListenError: one of them cannot be opened; the others are closed again.
        """
        self._listening.open()
        super().privilegedStartService()  # type: ignore[no-untyped-call]

    def startService(self) -> None:
        """
        Start the workers.

        Raises:
            ListenError: there can be no sockets of theirs.
        """
        self._listening.open()
        self.stopping = False
        families = tuple(port.socket.family for port in self._ports.held)
        # Here, since this is who the workers are as well.
        self._loads_file = make_loads(self._orders.workers)
        self._loads = Loads(self._loads_file.fileno())
        self._brief = replace(self._brief, families=families, folder=make_folder())
        banner = make_banner(self._orders.name, self.settings, (), self._listening.addresses)
        count = self._orders.workers
        what = "worker" if count == 1 else "workers"
        _log.info("{banner}\n  by {count} {what}", banner=banner, count=count, what=what)
        # A process that ends before the reactor runs would not be noticed.
        self._reactor.callWhenRunning(super().startService)

    def stopService(self) -> Deferred[None]:
        """Stop the workers, in the time that their clients may take to leave."""
        self.stopping = True
        return Deferred.fromCoroutine(self._stop())

    def tell_systemd(self, told: Service) -> None:
        """Have systemd told of us from when all workers serve."""
        self.supervisor.up.addCallback(lambda _: told.setServiceParent(self))

    async def _stop(self) -> None:
        if self._ports.are_shared:
            # Who comes now may find another node; the workers have ports of their own.
            await self._listening.close()
        # First these alone: a second signal is listened for until they have ended.
        await self.supervisor.stopService()
        await self._listening.close()
        shutil.rmtree(self._brief.folder, ignore_errors=True)
        self._loads_file.close()
        children: Deferred[Any] = super().stopService()  # type: ignore[no-untyped-call]
        await children

    def hurry(self) -> None:
        """Let a stop that is under way wait for nothing any more."""
        self.supervisor.hurry()

    def _spawn(
        self,
        name: str,
        ready: Callable[[], None],
        ended: Callable[[str], None],
        lives: Callable[[], None],
    ) -> Running:
        slot = slot_of(name)

        def came() -> None:
            self._loads.occupy(slot)
            ready()

        def gone(why: str) -> None:
            # One that was killed has left its socket, and may be the newest: another one that
            # leaves would send its clients there; see `Place.newest_of`.
            with suppress(OSError):
                os.unlink(Path(self._brief.folder, name))
            self._loads.vacate(slot)
            ended(why)

        brief = replace(self._brief, name=name)
        process = WorkerProcess(self._reactor, brief, self.hub, came, gone, lives)
        files = [self._loads_file.fileno(), *(port.fileno() for port in self._ports.held)]
        return start_worker(self._reactor, process, name, files, gone)


class ReloadSignal(Service):
    """
    Reloads at a SIGHUP.

    Args:
        reactor: the reactor.
        reload: does it.
    """

    def __init__(self, reactor: Any, reload: Callable[[], None]) -> None:
        self._reactor = reactor
        self._reload = reload
        self._former: Any = None

    def startService(self) -> None:
        """Listen for it."""
        super().startService()  # type: ignore[no-untyped-call]
        self._former = signal.signal(signal.SIGHUP, self._signalled)

    def stopService(self) -> None:
        """Listen no longer."""
        super().stopService()  # type: ignore[no-untyped-call]
        signal.signal(signal.SIGHUP, self._former or signal.SIG_DFL)

    def _signalled(self, number: int, frame: Any) -> None:
        self._reactor.callFromThread(self._reload)
