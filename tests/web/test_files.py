"""Templates, static files and the browser's client, from folders on disk."""

from __future__ import annotations

import gzip
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mojo import App
from mojo.errors import ProjectError
from mojo.testing import Browser
from tests.web.server import VisitorPage, app_of, make_service


class FolderMixin:
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(parents=True)

    def write(self, path: str, content: str | bytes) -> Path:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file


class TemplateTests(FolderMixin, SynchronousTestCase):
    def browser(self, get, **settings) -> Browser:
        app = app_of({"/": get}, bases=(VisitorPage,), name="Chat")
        app = App(
            name="Chat", urlpatterns=app.urlpatterns, templates=self.folder / "Apps/Chat/templates"
        )
        return Browser(make_service(app, path=self.folder, **settings))

    def test_app_before_project(self) -> None:
        self.write("templates/base.html", "base of the project: {% block b %}{% endblock %}")
        self.write("templates/page.html", "the project's")
        self.write(
            "Apps/Chat/templates/page.html",
            '{% extends "base.html" %}{% block b %}the app\'s{% endblock %}',
        )
        response = self.browser(lambda self: self.render("page.html")).get("/")
        self.assertEqual(response.text, "base of the project: the app's")

    def test_everything_is_escaped(self) -> None:
        """Whatever the file is called."""
        for name in ("page.html", "page.txt", "page"):
            self.write(f"Apps/Chat/templates/{name}", "{{ text }} {{ safe | safe }}")
            get = lambda self, name=name: self.render(name, text="<b>", safe="<i>")  # noqa: E731
            self.assertEqual(self.browser(get).get("/").text, "&lt;b&gt; <i>")

    def test_names(self) -> None:
        """What every template knows."""
        self.write("static/a.css", "x")
        self.write(
            "Apps/Chat/templates/page.html",
            "{{ project }}|{{ current_user }}|{{ session_id == handler.session_id }}|"
            "{{ static_url('a.css') }}|{{ csrf_field() }}|{{ request.path.decode() }}",
        )
        response = self.browser(lambda s: s.render("page.html"), project_name="P").get("/")
        project, user, same, url, field, path = response.text.split("|")
        self.assertEqual((project, user, same, path), ("P", "None", "True", "/"))
        self.assertRegex(url, r"\A/static/a\.css\?v=[0-9a-f]{12}\Z")
        self.assertRegex(field, r'\A<input type="hidden" name="csrf_token" value="[\w-]{48}">\Z')

    def test_misspelt_name(self) -> None:
        """A name that is not there is an error, not an empty place."""
        from jinja2 import TemplateNotFound, UndefinedError

        self.write("Apps/Chat/templates/page.html", "{{ nmae }}")
        self.assertEqual(self.browser(lambda s: s.render("page.html")).get("/").status, 500)
        self.assertEqual(self.browser(lambda s: s.render("no.html")).get("/").status, 500)
        self.assertEqual(len(self.flushLoggedErrors(UndefinedError, TemplateNotFound)), 2)

    def test_outside(self) -> None:
        """A template's name cannot leave the folders."""
        from jinja2 import TemplateNotFound

        self.write("secret.txt", "secret")
        self.write("templates/x", "")
        for name in ("../secret.txt", "/etc/passwd", "..\\secret.txt"):
            response = self.browser(lambda s, name=name: s.render(name)).get("/")
            self.assertEqual(response.status, 500)
            self.assertNotIn("secret", response.text)
        self.flushLoggedErrors(TemplateNotFound)


class StaticTests(FolderMixin, TestCase):
    """twisted.web sends files by its own cooperator, which runs on the real reactor."""

    def setUp(self) -> None:
        super().setUp()
        self.write("static/css/site.css", "body {}")
        self.write("static/.hidden", "hidden")
        self.write("static/é x.txt", "é")
        self.write("static/data.unknown", "x")
        self.write("secret.txt", "secret")
        self.service = make_service(path=self.folder)
        self.browser = Browser(self.service)

    async def get(self, path: str):
        """Ask for a file, and let the reactor turn until the answer is complete."""
        answer = self.browser.ask("GET", path)
        while not answer.answered:
            await deferLater(reactor, 0)
        return answer.value

    async def test_file(self) -> None:
        response = await self.get("/static/css/site.css")
        self.assertEqual((response.status, response.text), (200, "body {}"))
        self.assertEqual(response.header("content-type"), "text/css")
        self.assertEqual(response.header("cache-control"), "no-cache")
        self.assertEqual(response.header("x-content-type-options"), "nosniff")

    async def test_versioned(self) -> None:
        """The right version may be kept for a year; a wrong one may not."""
        url = self.service.static_files.url("css/site.css")
        response = await self.get(url)
        self.assertIn("max-age=31536000, immutable", response.header("cache-control"))
        self.assertEqual((await self.get(url + "x")).header("cache-control"), "no-cache")
        self.write("static/css/site.css", "body { color: red }")
        self.assertNotEqual(self.service.static_files.url("css/site.css"), url)

    async def test_any_version(self) -> None:
        """Asking for some version of a file does not make the server read it."""
        self.assertEqual(
            (await self.get("/static/css/site.css?v=0123456789ab")).header("cache-control"),
            "no-cache",
        )
        self.assertEqual(self.service.static_files._hashes, {})
        self.assertEqual((await self.get("/static/nope?v=0123456789ab")).status, 404)

    async def test_outside_the_project(self) -> None:
        """The folder may be elsewhere, and its addresses work as ever."""
        self.write("assets/a.css", "a {}")
        self.write("project/settings.py", "")
        service = make_service(path=self.folder / "project", static_path="../assets")
        self.browser = Browser(service)
        url = service.static_files.url("/a.css")
        self.assertRegex(url, r"\A/static/a\.css\?v=")
        response = await self.get(url)
        self.assertEqual(response.text, "a {}")
        self.assertIn("immutable", response.header("cache-control"))

    def test_what_must_not_be_served(self) -> None:
        """Not the project: its settings hold the secret."""
        for path in (".", "..", "/", "Apps", "static/..", "Apps/Chat"):
            with self.assertRaises(ProjectError) as caught:
                make_service(path=self.folder, static_path=path)
            self.assertIn(f"STATIC_PATH = {path!r}", str(caught.exception))

    async def test_folder_in_an_app(self) -> None:
        """Of an app, what is not its code may be."""
        self.write("Apps/Chat/static/a.css", "a {}")
        self.browser = Browser(make_service(path=self.folder, static_path="Apps/Chat/static"))
        self.assertEqual((await self.get("/static/a.css")).text, "a {}")

    def test_turned_off(self) -> None:
        service = make_service(path=self.folder, static_path=None, template_path=None)
        self.assertEqual(Browser(service).get("/static/css/site.css").status, 404)
        self.assertEqual(service.static_files.url("css/site.css"), "/static/css/site.css")

    async def test_urls(self) -> None:
        self.assertEqual(self.service.static_files.url("nope.css"), "/static/nope.css")
        url = self.service.static_files.url("é x.txt")
        self.assertTrue(url.startswith("/static/%C3%A9%20x.txt?v="))
        self.assertEqual((await self.get(url)).text, "é")
        self.assertEqual(self.service.static_files.url("../secret.txt"), "/static/../secret.txt")

    async def test_unknown_type(self) -> None:
        """A file of no known type is not shown as a page."""
        response = await self.get("/static/data.unknown")
        self.assertEqual(response.header("content-type"), "application/octet-stream")

    def test_not_there(self) -> None:
        """Nothing outside, nothing hidden, no listing."""
        for path in (
            "/static/", "/static/css", "/static/css/", "/static/nope", "/static/.hidden",
            "/static/../secret.txt", "/static/%2e%2e/secret.txt", "/static/..%2fsecret.txt",
            "/static/css/..%2f..%2fsecret.txt", "/static//etc/passwd", "/static/%00",
            "/static/css/site.css/x",
        ):  # fmt: skip
            response = self.browser.get(path)
            self.assertIn(response.status, (302, 404), path)
            self.assertNotIn("secret", response.text)
            self.assertNotIn("site.css", response.text.replace(path, ""))

    def test_no_folder(self) -> None:
        service = make_service(path=self.folder / "nowhere")
        self.assertEqual(Browser(service).get("/static/a").status, 404)


class ClientTests(FolderMixin, SynchronousTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.dist = "node_modules/socket.io-client/dist"
        self.script = b"console.log('client');" * 100

    def test_served(self) -> None:
        """Under the reference's names, compressed, asked for again but not sent again."""
        for name in ("socket.io.js", "socket.io.min.js", "socket.io.esm.min.js"):
            self.write(f"{self.dist}/{name}", self.script)
        self.write(f"{self.dist}/socket.io.js.map", "{}")
        browser = Browser(make_service(path=self.folder))
        for name in ("socket.io.js", "socket.io.min.js", "socket.io.esm.min.js"):
            response = browser.get(f"/socket.io/{name}")
            self.assertEqual(response.body, self.script)
            self.assertEqual(
                response.header("content-type"), "application/javascript; charset=UTF-8"
            )
            self.assertEqual(response.header("cache-control"), "public, max-age=0")
        response = browser.get("/socket.io/socket.io.js", headers={"Accept-Encoding": "gzip"})
        self.assertEqual(response.header("content-encoding"), "gzip")
        self.assertEqual(gzip.decompress(response.body), self.script)
        again = browser.get(
            "/socket.io/socket.io.js", headers={"If-None-Match": response.header("etag")}
        )
        self.assertEqual((again.status, again.body), (304, b""))
        map_response = browser.get("/socket.io/socket.io.js.map")
        self.assertEqual(map_response.header("content-type"), "application/json; charset=UTF-8")

    def test_new_version(self) -> None:
        """A file that npm replaced is served as it is now."""
        self.write(f"{self.dist}/socket.io.js", "old")
        browser = Browser(make_service(path=self.folder))
        tag = browser.get("/socket.io/socket.io.js").header("etag")
        self.write(f"{self.dist}/socket.io.js", "newer")
        response = browser.get("/socket.io/socket.io.js", headers={"If-None-Match": tag})
        self.assertEqual(response.text, "newer")

    def test_missing(self) -> None:
        """The answer says how to get it."""
        response = Browser(make_service(path=self.folder)).get("/socket.io/socket.io.js")
        self.assertEqual(response.status, 404)
        self.assertIn("mojo client", response.text)

    def test_setting(self) -> None:
        from mojo.settings import SocketIOSettings

        self.write("elsewhere/socket.io.js", "mine")
        for path in ("elsewhere", str(self.folder / "elsewhere")):
            service = make_service(path=self.folder, socket_io=SocketIOSettings(client_path=path))
            self.assertEqual(Browser(service).get("/socket.io/socket.io.js").text, "mine")

    def test_turned_off(self) -> None:
        from mojo.settings import SocketIOSettings

        self.write(f"{self.dist}/socket.io.js", "x")
        service = make_service(path=self.folder, socket_io=SocketIOSettings(serve_client=False))
        self.assertEqual(Browser(service).get("/socket.io/socket.io.js").status, 404)

    def test_other_names(self) -> None:
        self.write(f"{self.dist}/other.js", "x")
        browser = Browser(make_service(path=self.folder))
        for name in ("other.js", "socket.io.js/x", "..%2fpackage.json", "socket.io"):
            self.assertEqual(browser.get(f"/socket.io/{name}").status, 404, name)
