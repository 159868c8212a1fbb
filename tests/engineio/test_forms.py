"""`mojo.engineio.forms`: fields of bodies, within limits, and where they are read."""

from io import BytesIO

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

from mojo.engineio import EngineSite
from mojo.engineio.forms import MAX_FIELDS, MAX_URLENCODED, read_form
from mojo.errors import PacketError, PayloadTooLongError
from mojo.testing.http import http_request, parse_response
from mojo.testing.wire import Wire
from tests.engineio.endpoint import Endpoint

URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=b"


def read(kind: str, body: bytes):
    return dict(read_form(kind, BytesIO(body), len(body)))


def part(name: str, value: bytes, extra: str = "") -> bytes:
    head = f'--b\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n'
    return head.encode() + value + b"\r\n"


class ReadingTests(SynchronousTestCase):
    def test_urlencoded(self) -> None:
        self.assertEqual(
            read(URLENCODED, b"a=1&b=x+y%C3%BC&a=2&empty=&bare"),
            {b"a": [b"1", b"2"], b"b": ["x yü".encode()], b"empty": [b""], b"bare": [b""]},
        )
        self.assertEqual(read(URLENCODED + "; charset=UTF-8", b"a=1"), {b"a": [b"1"]})

    def test_any_bytes(self) -> None:
        """Bytes that should have been encoded, and those that are no text, are kept."""
        self.assertEqual(
            read(URLENCODED, "ü=é&x=%FF".encode()),
            {"ü".encode(): ["é".encode()], b"x": [b"\xff"]},
        )

    def test_multipart(self) -> None:
        body = (
            part("a", b"1")
            + part("f", b"\x00\r\n--\xff", '; filename="x"')
            + part("a", b"")
            + b"--b--"
        )
        self.assertEqual(read(MULTIPART, body), {b"a": [b"1", b""], b"f": [b"\x00\r\n--\xff"]})

    def test_other_bodies(self) -> None:
        for kind in ("", "text/plain", "application/json", "multipart/mixed; boundary=b", ";;"):
            self.assertEqual(read(kind, b"a=1"), {})

    def test_too_many_fields(self) -> None:
        self.assertEqual(len(read(URLENCODED, b"&".join([b"a=1"] * MAX_FIELDS))[b"a"]), MAX_FIELDS)
        for kind, body in (
            (URLENCODED, b"&".join([b"a=1"] * (MAX_FIELDS + 1))),
            (URLENCODED, b"&" * 9_000_000),
            (MULTIPART, part("a", b"1") * (MAX_FIELDS + 1) + b"--b--"),
            (MULTIPART, b"--b\r\n" + b"a: b\r\n" * 1_000_000),
            (MULTIPART, b"--b\r\na: " + b"b" * 1_000_000),
        ):
            self.assertRaises(PayloadTooLongError, read, kind, body)

    def test_too_long_without_a_file(self) -> None:
        read(URLENCODED, b"a=" + b"x" * (MAX_URLENCODED - 2))
        self.assertRaises(
            PayloadTooLongError, read, URLENCODED, b"a=" + b"x" * (MAX_URLENCODED - 1)
        )
        value = b"\r\n--x" * 1_000_000
        self.assertEqual(read(MULTIPART, part("a", value) + b"--b--"), {b"a": [value]})

    def test_malformed(self) -> None:
        for body in (
            b"", b"--b", b"--b\r\n", b"--b\r\n\r\n" * 1000, b"no boundary at all",
            part("a", b"1"), b"\n" * 1000, part("a", b"1").replace(b"a", b"\xff") + b"--b--",
        ):  # fmt: skip
            self.assertRaises(PacketError, read, MULTIPART, body)
        self.assertRaises(PacketError, read, "multipart/form-data", b"--b--")


class Echo(Resource):
    isLeaf = True

    def render(self, request):
        # Two answers may come in two different seconds.
        request.setHeader(b"date", b"today")
        return repr((dict(request.args), request.content.read())).encode()


class SiteTests(SynchronousTestCase):
    """Any resource finds the fields in ``request.args``, as it would in twisted.web's Site."""

    def ask(self, method: str, kind: str, body: bytes, uri: str = "/x?q=1"):
        wire = Wire(EngineSite(Echo(), {}, Clock()))
        wire.send(http_request(method, uri, headers={"Content-Type": kind}, body=body) * 2)
        first, _, second = wire.read().partition(b"HTTP/1.1")[2].partition(b"HTTP/1.1")
        self.assertEqual(first, second)  # and the connection goes on
        return parse_response(b"HTTP/1.1" + first)

    def test_methods(self) -> None:
        for method in ("POST", "PUT", "PATCH"):
            response = self.ask(method, URLENCODED, b"a=1")
            self.assertEqual(response.body, repr(({b"q": [b"1"], b"a": [b"1"]}, b"a=1")).encode())
        self.assertEqual(
            self.ask("DELETE", URLENCODED, b"a=1").body, repr(({b"q": [b"1"]}, b"a=1")).encode()
        )

    def test_refused(self) -> None:
        self.assertEqual(self.ask("POST", URLENCODED, b"&" * 2000).status, 413)
        self.assertEqual(self.ask("POST", MULTIPART, b"nothing").status, 400)

    def test_not_on_a_mount(self) -> None:
        """A mount has no use for forms: a payload that claims to be one is a payload."""
        endpoint = Endpoint()
        uri = endpoint.open_polling()
        response = endpoint.post(uri, b"4" + b"&" * 2000, **{"Content-Type": URLENCODED})
        self.assertEqual(response.status, 200)
        self.assertEqual(endpoint.log, ["&" * 2000])
