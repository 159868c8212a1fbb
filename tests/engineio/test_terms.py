"""`mojo.engineio.terms`: what a query says, however it is written."""

from twisted.trial.unittest import SynchronousTestCase

from mojo.engineio.terms import Terms, read_terms
from mojo.errors import EngineError


class TermsTests(SynchronousTestCase):
    def test_usual(self) -> None:
        for uri, sid in (
            (b"/engine.io/?EIO=4&transport=polling", None),
            (b"/engine.io?EIO=4&transport=polling&t=Px~_-.1", None),
            (b"/engine.io/?EIO=4&transport=polling&sid=a-_Z9", "a-_Z9"),
            (b"/engine.io/?EIO=4&transport=polling&sid=a-_Z9&t=x", "a-_Z9"),
            (b"/engine.io/?EIO=4&transport=polling&t=ueqe_g5-&sid=a-_Z9", "a-_Z9"),
        ):
            self.assertEqual(read_terms(uri), Terms("polling", sid, "4"), uri)

    def test_unusual(self) -> None:
        """In any order, encoded, with more: it says the same."""
        for uri in (
            b"/?transport=websocket&EIO=4&sid=a",
            b"/?EIO=4&transport=websocket&t=x&sid=a",
            b"/?EIO=4&transport=web%73ocket&sid=%61",
            b"/?token=1&EIO=4&transport=websocket&sid=a&&",
        ):
            self.assertEqual(read_terms(uri), Terms("websocket", "a", "4"), uri)
        self.assertEqual(read_terms(b"/?EIO=3&j=0&b64=1"), Terms(None, None, "3", "0", "1"))
        self.assertEqual(read_terms(b"/?EIO=4&transport=polling&sid=").sid, "")
        self.assertEqual(read_terms(b"/?EIO=4&transport=polling&sid=a?b").sid, "a?b")
        self.assertEqual(read_terms(b"/"), Terms(None, None, None))

    def test_twice(self) -> None:
        for name in ("EIO", "transport", "sid", "j", "b64"):
            uri = f"/?EIO=4&transport=polling&sid=a&t=x&{name}=1&{name}=2".encode()
            self.assertRaises(EngineError, read_terms, uri)
