"""`mojo.warm_up`, and what a service imports at its start and what it does not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from twisted.internet.interfaces import IReactorThreads
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

import mojo
from mojo.warm_up import WarmUp

ROOT = Path(mojo.__file__).parent.parent

# Imports, prints what is there of the packages named, and goes on from there.
_START = """
import sys
from twisted.internet import reactor
from mojo.tap import Options, makeService

LATE = ("autobahn", "txredisapi", "jinja2", "markupsafe", "jwt", "msgpack", "pydantic",
        "mojo.client", "mojo.testing", "mojo.redis", "mojo.cluster",
        "mojo.workers", "mojo.sessions.redis_store",
        "mojo.sessions.cookie_store", "cffi", "pycparser",
        "mojo.engineio.forms", "multipart", "mojo.engineio.version3",
        "mojo.engineio.transports.deflate")

def there():
    return [name for name in LATE if name in sys.modules]

options = Options()
options.parseOptions(sys.argv[1:])
service = makeService(options)
service.privilegedStartService()
service.startService()
"""

# Imports all of it with a collector that looks whenever it may, and prints what of it was there
# when it did.
_COLLECT = """
import gc
import sys
from twisted.internet import reactor
from twisted.python import usage

def look(phase, info):
    if gc.get_freeze_count() > frozen:
        gc.callbacks.clear()
    else:
        seen.update(name for name in sys.modules if name.partition(".")[0] == "mojo")

seen = set()
frozen = gc.get_freeze_count()  # 3.12 begins with some
gc.callbacks.append(look)
gc.set_threshold(10)
import mojo.tap
print(sorted(seen))
print(gc.get_freeze_count() > 10_000, "mojo.service" in sys.modules)
"""


@implementer(IReactorThreads)
class ThreadedClock(Clock):
    """A clock that notes what it is to call in a thread."""

    def __init__(self) -> None:
        super().__init__()
        self.in_thread: list[object] = []

    def callInThread(self, function) -> None:
        self.in_thread.append(function)


def load() -> None:
    raise AssertionError("called in the wrong thread")


class WarmUpTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = ThreadedClock()
        self.warm_up = WarmUp(self.clock, load)

    def test_once_a_second_after_the_start(self) -> None:
        """A service that is started a second time has everything already."""
        self.warm_up.startService()
        self.clock.advance(0.9)
        self.assertEqual(self.clock.in_thread, [])
        self.clock.advance(0.1)
        self.assertEqual(self.clock.in_thread, [load])
        self.warm_up.stopService()
        self.warm_up.startService()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stopped_before(self) -> None:
        """Nothing stays behind, and the next start begins anew."""
        self.warm_up.startService()
        self.warm_up.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.warm_up.startService()
        self.clock.advance(1)
        self.assertEqual(self.clock.in_thread, [load])

    def test_no_threads(self) -> None:
        """On a test's clock nothing happens behind the test's back."""
        clock = Clock()
        WarmUp(clock, load).startService()
        self.assertEqual(clock.getDelayedCalls(), [])


class StartTests(SynchronousTestCase):
    """In a process of its own: this one has imported everything."""

    def start(self, *arguments: str, then: str) -> str:
        options = ["--listen=tcp:0:interface=127.0.0.1", *arguments]
        return self.run_python(_START + then, "--project=examples/chat", *options)

    def run_python(self, code: str, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_what_a_project_does_not_use_is_not_imported(self) -> None:
        """Each of these takes time, and Autobahn as much as half of all the rest."""
        self.assertEqual(self.start(then="print(there())"), "[]\n")

    def test_no_garbage_is_looked_for_meanwhile(self) -> None:
        """Nor ever after in what was imported: a collection would look through all of it."""
        output = self.run_python(_COLLECT)
        self.assertEqual(output, "['mojo', 'mojo.heap', 'mojo.tap']\nTrue True\n")

    def test_autobahn_comes_later_and_in_a_thread(self) -> None:
        """The reactor answers meanwhile, and no client's first odd frame has to wait."""
        then = """
import threading
from importlib.abc import MetaPathFinder

class Watch(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "autobahn":
            print(threading.current_thread() is not threading.main_thread())

sys.meta_path.insert(0, Watch())

def look():
    if "autobahn" in there() and not sys.modules["autobahn"].__spec__._initializing:
        reactor.stop()
    else:
        reactor.callLater(0.05, look)

look()
reactor.callLater(60, reactor.crash)
reactor.run()
print(hasattr(sys.modules.get("autobahn"), "__version__"))
"""
        self.assertEqual(self.start(then=then), "True\nTrue\n")

    def test_at_once_where_it_is_needed_at_once(self) -> None:
        """With compression Autobahn has a part in each opening handshake."""
        option = "--settings=SOCKET_IO.per_message_deflate=True"
        output = self.start(option, then="print('autobahn' in there())")
        self.assertEqual(output, "True\n")
