"""`mojo.engineio.proxies`: whose word about the client is taken."""

from twisted.internet.address import UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from mojo.testing.wire import Wire
from tests.engineio.endpoint import POLLING, Endpoint


class ProxyTests(SynchronousTestCase):
    def peer(self, trusted, address="10.0.0.1", secure=False, **headers):
        endpoint = Endpoint(trusted_proxies=trusted)
        Wire(endpoint.site, address, secure).get(POLLING, **headers)
        handshake = endpoint.session.handshake
        return handshake.address, handshake.secure

    def test_nobody_is_trusted(self) -> None:
        peer = self.peer((), X_Forwarded_For="203.0.113.9", X_Forwarded_Proto="https")
        self.assertEqual(peer, ("10.0.0.1", False))

    def test_trusted(self) -> None:
        peer = self.peer(("10.0.0.0/8",), X_Forwarded_For="203.0.113.9", X_Forwarded_Proto="https")
        self.assertEqual(peer, ("203.0.113.9", True))

    def test_invented_hops(self) -> None:
        """Only what trusted proxies wrote counts: the rightmost that is none of them."""
        hops = "1.1.1.1, 203.0.113.9, 10.0.0.2"
        self.assertEqual(self.peer(("10.0.0.0/8",), X_Forwarded_For=hops)[0], "203.0.113.9")

    def test_forms(self) -> None:
        for hop, address in (
            ("203.0.113.9:4711", "203.0.113.9"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
            ("nonsense", "10.0.0.1"),
            ("", "10.0.0.1"),
        ):
            self.assertEqual(self.peer(("10.0.0.1",), X_Forwarded_For=hop)[0], address, hop)

    def test_mapped_proxy(self) -> None:
        """A dual-stack socket shows 10.0.0.1 as ::ffff:10.0.0.1."""
        peer = self.peer(("10.0.0.1",), "::ffff:10.0.0.1", X_Forwarded_For="203.0.113.9")
        self.assertEqual(peer[0], "203.0.113.9")

    def test_proto(self) -> None:
        """The proxy's word replaces what we see, both ways; silence leaves it."""
        trusted = ("10.0.0.1",)
        self.assertTrue(self.peer(trusted, secure=True)[1])
        self.assertFalse(self.peer(trusted, secure=True, X_Forwarded_Proto="http")[1])
        self.assertTrue(self.peer(trusted, X_Forwarded_Proto="http, HTTPS")[1])

    def test_unix_socket(self) -> None:
        for trusted, address in (("unix",), "203.0.113.9"), ((), "unix"):
            endpoint = Endpoint(trusted_proxies=trusted)
            wire = Wire(endpoint.site)
            wire.transport.getPeer = lambda: UNIXAddress(None)
            wire.get(POLLING, X_Forwarded_For="203.0.113.9")
            self.assertEqual(endpoint.session.handshake.address, address)

    def test_tls(self) -> None:
        self.assertEqual(self.peer((), secure=True), ("10.0.0.1", True))

    def test_bad_entry(self) -> None:
        with self.assertRaises(ValueError):
            Endpoint(trusted_proxies=("10.0.0.0/99",))
