"""`mojo.testing.http`: responses, whole and in part."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mojo.testing.http import parse_response


class ParseTests(SynchronousTestCase):
    def test_length(self) -> None:
        """It is complete with the last byte, and not before."""
        raw = b"HTTP/1.1 200 OK\r\nA: 1\r\na: 2\r\nContent-Length: 2\r\n\r\nhi"
        for size in range(len(raw)):
            self.assertIsNone(parse_response(raw[:size]), size)
        response = parse_response(raw)
        self.assertEqual((response.status, response.text), (200, "hi"))
        self.assertEqual((response.headers["a"], response.header("A")), (["1", "2"], "2"))
        self.assertIsNone(response.header("b"))
        self.assertRaises(AssertionError, parse_response, raw + b"x")

    def test_chunks(self) -> None:
        """As RFC 9112 section 7.1 has them, with an extension."""
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        raw = head + b"5;x=y\r\n12\r\n5\r\na\r\n3456789abc\r\n0\r\n\r\n"
        for size in range(len(raw)):
            self.assertIsNone(parse_response(raw[:size]), size)
        self.assertEqual(parse_response(raw).body, b"12\r\n53456789abc")

    def test_no_body(self) -> None:
        """The answer to a HEAD tells of a length and has none; neither has 304."""
        raw = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
        self.assertEqual(parse_response(raw, "HEAD").body, b"")
        raw = b"HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n"
        self.assertEqual(parse_response(raw).body, b"")

    def test_json(self) -> None:
        raw = b'HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n{"a": 1}'
        self.assertEqual(parse_response(raw).json, {"a": 1})

    def test_token(self) -> None:
        """In whatever order the field's attributes are."""
        body = b"<form><input name=csrf_token type='hidden' value='a&amp;b'/></form>"
        raw = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        self.assertEqual(parse_response(raw).csrf_token, "a&b")
