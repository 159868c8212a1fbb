"""Request handlers through a real Site: methods, arguments, cookies, responses, errors."""

from __future__ import annotations

import json

from twisted.internet.defer import Deferred, inlineCallbacks, succeed
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from mojo import App, HTTPError, MojoRequestHandler
from mojo.testing import Browser
from mojo.testing.wire import Wire
from tests.web.server import app_of, make_service, pages


def browse(**patterns) -> Browser:
    return Browser(pages(**{f"/{name}": target for name, target in patterns.items()}))


class MethodTests(SynchronousTestCase):
    def test_each_method(self) -> None:
        methods = {
            name: lambda self: self.write(self.method)
            for name in ("get", "post", "put", "delete", "patch", "head", "options")
        }
        handler = type("Page", (MojoRequestHandler,), {**methods, "csrf_protected": False})
        browser = Browser(make_service(app_of({"/": handler})))
        for name in ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
            response = browser.request(name, "/", body=b"")
            self.assertEqual((response.status, response.text), (200, name))

    def test_not_allowed(self) -> None:
        browser = browse(page=lambda self: self.write("x"))
        for method in ("POST", "PUT", "BREW", "get", "__init__", "WRITE", "SET_STATUS"):
            response = browser.request(method, "/page", body=b"")
            self.assertEqual(response.status, 405, method)
            self.assertEqual(response.header("allow"), "GET, HEAD")

    def test_head(self) -> None:
        """The headers of a GET, without its body."""
        service = pages(**{"/": lambda self: self.write("four")})
        wire = Wire(service.site)
        wire.ask("HEAD", "/")
        raw = wire.read()
        self.assertIn(b"Content-Length: 4\r\n", raw)
        self.assertTrue(raw.endswith(b"\r\n\r\n"))

    def test_async(self) -> None:
        """Coroutine, Deferred and inlineCallbacks; the response waits for them."""
        waits: list[Deferred] = []

        async def coroutine(self):
            wait: Deferred = Deferred()
            waits.append(wait)
            self.write(await wait)

        @inlineCallbacks
        def inline(self):
            wait: Deferred = Deferred()
            waits.append(wait)
            self.write((yield wait))

        def deferred(self):
            wait: Deferred = Deferred()
            waits.append(wait)
            return wait.addCallback(self.write)

        for get in (coroutine, inline, deferred):
            browser = browse(page=get)
            answer = browser.ask("GET", "/page")
            self.assertFalse(answer.answered)
            waits.pop().callback("late")
            self.assertEqual(answer.value.text, "late")

    def test_client_leaves(self) -> None:
        """What a handler writes for somebody who has gone goes nowhere, silently."""
        wait: Deferred = Deferred()
        told: list = []

        class Page(MojoRequestHandler):
            async def get(self):
                self.write(await wait)

            def on_connection_close(self):
                told.append("gone")
                raise ValueError

        browser = Browser(make_service(app_of({"/page": Page})))
        browser.ask("GET", "/page")
        browser.wire.hang_up()
        self.assertEqual(told, ["gone"])
        wait.callback("too late")
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_prepare(self) -> None:
        """It comes first, may be async, and may end the request."""

        class Page(MojoRequestHandler):
            async def prepare(self):
                if self.get_argument("stop", None):
                    self.write("stopped")
                    self.finish()

            def get(self):
                self.write("went on")

        browser = Browser(make_service(app_of({"/": Page})))
        self.assertEqual(browser.get("/").text, "went on")
        self.assertEqual(browser.get("/?stop=1").text, "stopped")


class RoutingTests(SynchronousTestCase):
    def test_groups(self) -> None:
        """Unnamed groups are positional arguments, named ones are keywords."""
        browser = Browser(
            pages(
                **{
                    r"/a/(\w+)/(\d+)?": lambda self, *a: self.write(json.dumps(a)),
                    r"/b/(?P<name>[^/]+)": lambda self, name: self.write(name),
                    r"/c": lambda self: self.write("c"),
                }
            )
        )
        self.assertEqual(browser.get("/a/x/7").text, '["x", "7"]')
        self.assertEqual(browser.get("/a/x/").text, '["x", null]')
        self.assertEqual(browser.get("/b/%C3%A9%20%2B").text, "é +")
        for path in ("/c/", "/cc", "/", "/a/x", "/b/"):
            self.assertEqual(browser.get(path).status, 404, path)

    def test_path_that_is_not_utf8(self) -> None:
        self.assertEqual(browse(page=None).get("/%ff").status, 400)

    def test_first_match_wins(self) -> None:
        """Within an app and between apps, in their order."""
        first = app_of({"/x.*": lambda self: self.write(f"first {self.app}")}, name="One")
        second = app_of({"/xy": lambda self: self.write("second")}, name="Two")
        self.assertEqual(Browser(make_service(first, second)).get("/xy").text, "first One")


class ArgumentTests(SynchronousTestCase):
    def test_arguments(self) -> None:
        def get(self):
            self.write(
                {
                    "last": self.get_argument("a"),
                    "all": self.get_arguments("a", strip=False),
                    "none": self.get_argument("n", None),
                    "default": self.get_argument("n", "d"),
                }
            )

        response = browse(page=get).get("/page?a=%20x%20&a=%C3%A9%20")
        self.assertEqual(
            response.json, {"last": "é", "all": [" x ", "é "], "none": None, "default": "d"}
        )

    def test_missing(self) -> None:
        response = browse(page=lambda self: self.get_argument("a")).get("/page")
        self.assertEqual(response.status, 400)

    def test_not_utf8(self) -> None:
        response = browse(page=lambda self: self.get_argument("a")).get("/page?a=%ff")
        self.assertEqual(response.status, 400)

    def test_form_and_body(self) -> None:
        class Page(MojoRequestHandler):
            csrf_protected = False

            def post(self):
                self.write(self.get_argument("a") + "|" + self.body.decode())

        browser = Browser(make_service(app_of({"/": Page})))
        self.assertEqual(browser.post("/?b=1", {"a": "x y"}).text, "x y|a=x+y")

    def test_body_too_long(self) -> None:
        """A page's request is measured by MAX_BODY, before it is taken in."""
        service = make_service(app_of({"/": lambda self: None}), max_body=100)
        self.assertEqual(Browser(service).request("POST", "/", body=b"x" * 101).status, 413)

    def test_broken_multipart(self) -> None:
        response = browse(page=lambda self: None).request(
            "POST", "/page", body=b"x", headers={"Content-Type": "multipart/form-data"}
        )
        self.assertEqual(response.status, 400)


class ResponseTests(SynchronousTestCase):
    def test_kinds(self) -> None:
        for value, kind, body in (
            ("é", "text/html; charset=UTF-8", "é"),
            (b"raw", "text/html; charset=UTF-8", "raw"),
            ({"a": 1}, "application/json; charset=UTF-8", '{"a": 1}'),
        ):
            response = browse(page=lambda self, value=value: self.write(value)).get("/page")
            self.assertEqual((response.header("content-type"), response.text), (kind, body))
            self.assertEqual(response.header("x-content-type-options"), "nosniff")

    def test_status_and_headers(self) -> None:
        def get(self):
            self.set_status(418, "Teapot")
            self.set_header("X-A", "1")
            self.set_header("X-A", 2)
            self.add_header("X-A", "3")
            self.finish("short")

        response = browse(page=get).get("/page")
        self.assertTrue(response.raw.startswith(b"HTTP/1.1 418 Teapot\r\n"))
        self.assertEqual(response.headers["x-a"], ["2", "3"])

    def test_header_injection(self) -> None:
        for act in (
            lambda self: self.set_header("X", "a\r\nSet-Cookie: b=c"),
            lambda self: self.add_header("X\n", "a"),
            lambda self: self.set_status(200, "OK\r\nX: y"),
            lambda self: self.set_cookie("a", "b\r\nX: y"),
            lambda self: self.set_cookie("a;b", "c"),
            lambda self: self.set_cookie("a", "b", path="/; Domain=evil.example"),
            lambda self: self.set_cookie("a", "b", domain="x; Secure"),
            lambda self: self.set_cookie("a", "b", samesite="Lax; Secure"),
        ):
            response = browse(page=act).get("/page")
            self.assertEqual(response.status, 500)
            self.assertNotIn("set-cookie", response.headers)
            self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_redirect(self) -> None:
        for get, status, location in (
            (lambda self: self.redirect("/there?a=b&c=é"), 302, "/there?a=b&c=%C3%A9"),
            (lambda self: self.redirect("/x", permanent=True), 301, "/x"),
            (
                lambda self: self.redirect("https://a.example/", status=303),
                303,
                "https://a.example/",
            ),
            (lambda self: self.redirect("/a\r\nX: y"), 302, "/a%0D%0AX:%20y"),
        ):
            response = browse(page=get).get("/page")
            self.assertEqual((response.status, response.header("location")), (status, location))

    def test_no_body(self) -> None:
        for status in (204, 304):
            response = browse(page=lambda self, s=status: self.set_status(s)).get("/page")
            self.assertEqual((response.status, response.body), (status, b""))

    def test_write_after_finish(self) -> None:
        def get(self):
            self.finish("x")
            self.write("y")

        self.assertEqual(browse(page=get).get("/page").status, 500)
        self.flushLoggedErrors(RuntimeError)


async def coroutine_that_fails(self):
    raise ZeroDivisionError


class ErrorTests(SynchronousTestCase):
    def test_http_error(self) -> None:
        """Its words reach the visitor, escaped; its log message does not."""

        def get(self):
            self.write("half a page")
            raise HTTPError(403, "%s for the log", "detail", reason="Not <you>")

        response = browse(page=get).get("/page")
        self.assertEqual(response.status, 403)
        self.assertIn("403 Not &lt;you&gt;", response.text)
        self.assertNotIn("half a page", response.text)
        self.assertNotIn("detail", response.text)

    def test_exception(self) -> None:
        """Logged; the visitor learns nothing, unless DEBUG shows the traceback."""

        async def get(self):
            self.write({"half": "a page"})
            raise ValueError("<secret>")

        app = app_of({"/": get})
        response = Browser(make_service(app)).get("/")
        self.assertEqual((response.status, "secret" in response.text), (500, False))
        self.assertEqual(response.header("content-type"), "text/html; charset=UTF-8")
        response = Browser(make_service(app, debug=True)).get("/")
        self.assertIn("ValueError: &lt;secret&gt;", response.text)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 2)

    def test_own_error_page(self) -> None:
        def write_error(self, status, reason, failure):
            self.write(f"own {status}")
            if self.get_argument("bad", None):
                raise RuntimeError

        def get(self):
            raise HTTPError(404)

        service = make_service(app_of({"/": get}, write_error=write_error))
        self.assertEqual(Browser(service).get("/").text, "own 404")
        self.assertEqual(Browser(service).get("/?bad=1").status, 404)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_async_error_page(self) -> None:
        async def write_error(self, status, reason, failure):
            self.write(await succeed(f"later {status}"))

        service = make_service(app_of({"/": lambda self: 1 / 0}, write_error=write_error))
        self.assertEqual(Browser(service).get("/").text, "later 500")
        self.flushLoggedErrors(ZeroDivisionError)

    def test_headers_of_the_page_that_was_not(self) -> None:
        """An error is neither kept for a year, nor a download, nor a redirect."""

        def get(self):
            self.set_header("Cache-Control", "public, max-age=31536000")
            self.set_header("Content-Disposition", "attachment")
            self.set_cookie("kept", "1")
            self.request.setETag(b'"x"')
            self.redirect("/elsewhere")
            raise ValueError

        response = browse(page=get).get("/page")
        self.assertEqual(response.status, 500)
        for name in ("cache-control", "content-disposition", "location", "etag"):
            self.assertIsNone(response.header(name), name)
        self.assertEqual(response.header("content-type"), "text/html; charset=UTF-8")
        self.assertEqual(response.header("x-content-type-options"), "nosniff")
        self.assertIn("kept=1", response.header("set-cookie"))
        self.flushLoggedErrors(ValueError)

    def test_bad_words(self) -> None:
        """A reason made of what a visitor sent adds no header; a status is one of an error."""

        async def get(self):
            raise HTTPError(404, reason="no\r\nSet-Cookie: a=b")

        response = browse(page=get).get("/page")
        self.assertEqual((response.status, response.header("set-cookie")), (404, None))
        for wrong in (200, 399, 600, "404", None):
            self.assertRaises(ValueError, HTTPError, wrong)

    def test_answered_whatever_happens(self) -> None:
        """A handler that cannot be made, or whose ways of failing fail: 500, and no more."""

        def broken(self, *args):
            raise RuntimeError

        for bad in ({"__init__": broken}, {"clear": broken}, {"set_status": broken}):
            for get in (lambda self: 1 / 0, coroutine_that_fails):
                service = make_service(app_of({"/": get}, **bad))
                response = Browser(service).get("/")
                self.assertEqual((response.status, response.text), (500, ""), bad)
        self.flushLoggedErrors(RuntimeError, ZeroDivisionError)

    def test_results(self) -> None:
        """What a page returns would be lost: the author is told, whatever it is."""

        def generator(self):
            yield 1

        async def coroutine(self):
            return "text"

        for get in (lambda self: "text", generator, coroutine, lambda self: succeed(1)):
            self.assertEqual(browse(page=get).get("/page").status, 500)
        errors = self.flushLoggedErrors(TypeError)
        self.assertEqual(len(errors), 4)
        self.assertIn("Page.get returned str", str(errors[0].value))

    def test_what_is_written(self) -> None:
        """A number is not that many zero bytes."""
        for wrong in (5, [104], None, bytearray(b"x")):
            self.assertEqual(browse(page=lambda s, w=wrong: s.write(w)).get("/page").status, 500)
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 4)

    def test_log_shows_no_query(self) -> None:
        """Tokens travel in queries, and cookies hold what they hold."""
        lines: list[str] = []
        observer = lambda event: lines.append(formatEvent(event))  # noqa: E731
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

        def get(self):
            raise HTTPError(400)

        browse(page=get).get("/page?token=secret", headers={"Cookie": "a=secret"})
        browse(page=get).request("HEAD", "/nothing?token=secret")
        self.assertIn("198.51.100.7 GET /page 400", "\n".join(lines))
        self.assertNotIn("secret", "\n".join(lines))


class CookieTests(SynchronousTestCase):
    def cookie(self, act, secure=False, settings=None, headers=None) -> str:
        service = make_service(app_of({"/": act}), **(settings or {}))
        response = Browser(service, secure=secure).get("/", headers=headers)
        (header,) = response.headers["set-cookie"]
        return header

    def test_attributes(self) -> None:
        self.assertEqual(
            self.cookie(lambda self: self.set_cookie("a", "b")),
            "a=b; Path=/; HttpOnly; SameSite=Lax",
        )
        self.assertEqual(
            self.cookie(
                lambda self: self.set_cookie(
                    "a",
                    "b",
                    max_age=60,
                    path="/x",
                    domain="example.com",
                    secure=True,
                    httponly=False,
                    samesite="strict",
                )
            ),
            "a=b; Path=/x; Domain=example.com; Max-Age=60; Secure; SameSite=Strict",
        )

    def test_secure(self) -> None:
        """``Secure`` when the visitor came by https, also past a trusted proxy."""
        act = lambda self: self.set_cookie("a", "b")  # noqa: E731
        self.assertIn("; Secure;", self.cookie(act, secure=True))
        proxied = {"X-Forwarded-Proto": "https"}
        self.assertNotIn("Secure", self.cookie(act, headers=proxied))
        trusted = {"trusted_proxies": ("198.51.100.7",)}
        self.assertIn("; Secure;", self.cookie(act, settings=trusted, headers=proxied))

    def test_last_one_counts(self) -> None:
        def get(self):
            self.set_cookie("a", "1")
            self.set_cookie("ab", "2")
            self.clear_cookie("a")

        response = browse(page=get).get("/page")
        self.assertEqual(
            response.headers["set-cookie"],
            [
                "ab=2; Path=/; HttpOnly; SameSite=Lax",
                "a=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax",
            ],
        )

    def test_same_name_elsewhere(self) -> None:
        """Another path or domain is another cookie."""

        def get(self):
            for options in ({}, {"path": "/x"}, {"domain": "example.com"}, {"path": "/x"}):
                self.set_cookie("a", "1", **options)

        response = browse(page=get).get("/page")
        self.assertEqual(
            [c.split("; ")[1:-2] for c in response.headers["set-cookie"]],
            [["Path=/"], ["Path=/", "Domain=example.com"], ["Path=/x"]],
        )

    def test_same_site_none(self) -> None:
        """Browsers refuse it without Secure: so do we, where the author can see it."""
        act = lambda self: self.set_cookie("a", "b", samesite="None")  # noqa: E731
        self.assertIn("; Secure; HttpOnly; SameSite=None", self.cookie(act, secure=True))
        self.assertEqual(browse(page=act).get("/page").status, 500)
        self.flushLoggedErrors(ValueError)

    def test_reading(self) -> None:
        def get(self):
            self.write(f"{self.get_cookie('a')} {self.get_cookie('b', 'none')}")

        self.assertEqual(
            browse(page=get).get("/page", headers={"Cookie": "a=1; a=2"}).text, "1 none"
        )

    def test_sealed(self) -> None:
        """Unreadable, bound to its name, and no good after its age."""
        now = [1_700_000_000.0]

        class Page(MojoRequestHandler):
            def get(self):
                if self.get_argument("set", None):
                    self.set_secure_cookie("a", "välue")
                self.write(str(self.get_secure_cookie("a", max_age=100)))

        browser = Browser(make_service(app_of({"/": Page}), now=lambda: now[0]))
        self.assertEqual(browser.get("/").text, "None")
        browser.get("/?set=1")
        self.assertNotIn("v", browser.jar["a"][:0] or "")
        self.assertEqual(browser.get("/").text, "välue")
        now[0] += 101
        self.assertEqual(browser.get("/").text, "None")
        now[0] -= 101
        browser.jar["a"] = browser.jar["a"][:-2] + "AA"
        self.assertEqual(browser.get("/").text, "None")

    def test_too_long(self) -> None:
        response = browse(page=lambda self: self.set_secure_cookie("a", "x" * 4000)).get("/page")
        self.assertEqual(response.status, 500)
        self.flushLoggedErrors(ValueError)


class NothingTests(SynchronousTestCase):
    def test_app_without_pages(self) -> None:
        self.assertEqual(Browser(make_service(App(name="Empty"))).get("/").status, 404)
