"""JSONP through a real Site: the script, the form, and whose pages may do so."""

import json
from urllib.parse import urlencode

from twisted.trial.unittest import SynchronousTestCase

from mojo.engineio import jsonp
from mojo.engineio.handshake import Identity
from mojo.errors import PacketError
from tests.engineio.endpoint import POLLING, Endpoint

SAME = {"Referer": "http://example.com/page"}


def form(payload: str) -> bytes:
    """What a client puts into its form: the protocol text's escapes, then the form's."""
    return urlencode({"d": payload.replace("\\n", "\\\\n").replace("\n", "\\n")}).encode()


class ScriptTests(SynchronousTestCase):
    def test_wrap(self) -> None:
        self.assertEqual(
            jsonp.wrap("0", '4["a\\b"]</script>€'.encode()).decode(),
            '___eio[0]("4[\\"a\\\\b\\"]</script>€");',
        )

    def test_line_ends_of_scripts(self) -> None:
        """U+2028 and U+2029 end a line in a script, and not in JSON."""
        self.assertEqual(
            jsonp.wrap("7", "4a\u2028b\u2029c\n".encode()), b'___eio[7]("4a\\u2028b\\u2029c\\n");'
        )

    def test_unwrap(self) -> None:
        r"""A backslash and an n is a line end, with two backslashes it is itself."""
        self.assertEqual(jsonp.unwrap(b"d=4a%5Cnb%5C%5Cnc"), b"4a\nb\\nc")
        self.assertEqual(jsonp.unwrap(form("4a\n\\n €+&=")), "4a\n\\n €+&=".encode())

    def test_no_form(self) -> None:
        for body in (b"", b"4a", b"e=4a", b"d=1&d=2", b"d=%ff", b"\xff", b"&".join([b"d=1"] * 99)):
            self.assertRaises(PacketError, jsonp.unwrap, body)


class SiteTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.endpoint = Endpoint(allow_eio3=True)

    def script(self, response) -> str:
        """Take the payload out of a script."""
        self.assertEqual(response.status, 200)
        self.assertEqual(response.header("content-type"), "text/javascript; charset=UTF-8")
        self.assertEqual(response.header("x-content-type-options"), "nosniff")
        self.assertTrue(response.text.startswith("___eio[3]("), response.text)
        self.assertTrue(response.text.endswith(");"))
        return json.loads(response.text[10:-2])

    def test_exchange(self) -> None:
        for version in ("4", "3"):
            uri = POLLING.replace("EIO=4", f"EIO={version}") + "&j=3"
            payload = self.script(self.endpoint.get(uri, **SAME))
            self.assertEqual(payload[: payload.index("{")], "0" if version == "4" else "102:0")
            uri += f"&sid={self.endpoint.session.eid}"
            sent = "4a\nb €\x1e4c" if version == "4" else "6:4a\nb €2:4c"
            response = self.endpoint.post(
                uri, form(sent), Content_Type="application/x-www-form-urlencoded", **SAME
            )
            self.assertEqual((response.status, response.text), (200, "ok"))
            self.assertEqual(response.header("content-type"), "text/html; charset=UTF-8")
            self.assertEqual(self.endpoint.log, ["a\nb €", "c"])
            self.endpoint.log.clear()
            self.endpoint.session.send("\u2028")
            self.endpoint.session.send(b"\x01\x02\x03\x04")
            self.endpoint.turn()
            expected = "4\u2028\x1ebAQIDBA==" if version == "4" else "2:4\u202810:b4AQIDBA=="
            self.assertEqual(self.script(self.endpoint.get(uri, **SAME)), expected)

    def test_only_digits(self) -> None:
        """Nothing else of the client's gets into a script."""
        for index in ("alert(1)", "", "1]=alert;//", "1%0a", "-1", "%D9%A1", "9" * 11, "1&j=2"):
            response = self.endpoint.get(f"{POLLING}&j={index}", **SAME)
            self.assertEqual(response.status, 400, index)
            self.assertEqual(response.header("content-type"), "application/json")
        self.assertEqual(self.endpoint.engine.sessions, {})

    def test_broken_form(self) -> None:
        self.endpoint.get(POLLING + "&j=3", **SAME)
        uri = f"{POLLING}&j=3&sid={self.endpoint.session.eid}"
        self.assertEqual(self.endpoint.post(uri, b"4a", **SAME).status, 400)
        self.assertEqual(self.endpoint.log, [("closed", "parse error")])


class OriginTests(SynchronousTestCase):
    """
    Any page may load a script from here with its visitor's cookies and without Origin.

    Without these checks it could read along: what CORS forbids it, JSONP would let it do.
    """

    def status(self, endpoint: Endpoint, **headers: str) -> int:
        response = endpoint.get(POLLING + "&j=0", Cookie="session_id=ada", **headers)
        return response.status

    def endpoint(self, *origins: str) -> Endpoint:
        return Endpoint(
            identify=lambda cookies: Identity(cookies["session_id"][0]), allowed_origins=origins
        )

    def test_own_page(self) -> None:
        for headers in (SAME, {"Sec_Fetch_Site": "same-origin"}, {"Origin": "http://example.com"}):
            endpoint = self.endpoint()
            self.assertEqual(self.status(endpoint, **headers), 200)
            self.assertEqual(endpoint.session.handshake.session_id, "ada")

    def test_foreign_page(self) -> None:
        for headers in (
            {"Referer": "http://evil.example/"},
            {"Referer": "http://evil.example/", "Sec_Fetch_Site": "cross-site"},
            {"Referer": "http://example.com.evil.example/"},
            {"Referer": "http://user@example.com/"},
            {"Referer": "http://[/"},
            {"Referer": "example.com"},
            {"Sec_Fetch_Site": "cross-site"},
            {"Sec_Fetch_Site": "same-site"},
            {"Sec_Fetch_Site": "none"},
            {"Origin": "http://evil.example", "Referer": "http://example.com/"},
        ):
            self.assertEqual(self.status(self.endpoint(), **headers), 403, headers)

    def test_unknown_page(self) -> None:
        """A page may hide where it is from: then it is no page of ours."""
        self.assertEqual(self.status(self.endpoint()), 403)

    def test_listed_page(self) -> None:
        endpoint = self.endpoint("http://friend.example")
        self.assertEqual(self.status(endpoint, Referer="http://friend.example/x"), 200)
        self.assertEqual(endpoint.session.handshake.session_id, "ada")

    def test_any_page(self) -> None:
        """``*`` lets any page in, and not its visitor's cookies."""
        for headers in ({}, {"Referer": "http://evil.example/"}):
            endpoint = self.endpoint("*")
            self.assertEqual(self.status(endpoint, **headers), 200)
            self.assertIsNone(endpoint.session.handshake.session_id)
