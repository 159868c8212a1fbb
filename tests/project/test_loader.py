"""`mojo.project.loader`: projects on disk, and what is said of broken ones."""

from twisted.logger import formatEvent, globalLogPublisher

from mojo.errors import ProjectError, SettingsError
from mojo.project.loader import load_project
from tests.project.disk import HANDLER, PAGE, URLS, DiskTestCase, unique


class LoaderTestCase(DiskTestCase):
    def refused(self, path, *expected: str) -> None:
        with self.assertRaises(ProjectError) as caught:
            load_project(path)
        for piece in expected:
            self.assertIn(piece, str(caught.exception))
        self.assertNotIn("\n", str(caught.exception))


class LoadTests(LoaderTestCase):
    def test_whole(self) -> None:
        """Apps in the order of their names, the project's own handler first."""
        chat, shop = sorted((unique("Chat"), unique("Shop")))
        path = self.project(
            {
                "socket_handlers.py": HANDLER,
                f"Apps/{chat}/socket_handlers.py": HANDLER,
                f"Apps/{shop}/views.py": PAGE,
                f"Apps/{shop}/urls.py": URLS.format(path="shop"),
                f"Apps/{shop}/templates/a.html": "",
                "Apps/__pycache__/x": "",
                "Apps/not an app/x": "",
                "Apps/README": "",
            }
        )
        project = load_project(path)
        self.assertEqual((project.path, project.name), (path, "project"))
        self.assertEqual([app.name for app in project.apps], ["", chat, shop])
        own, chat_app, shop_app = project.apps
        self.assertEqual((own.namespace, chat_app.namespace), ("/", f"/{chat}Socket"))
        self.assertEqual(chat_app.handler.__name__, "SocketConnectionHandler")
        self.assertEqual((chat_app.urlpatterns, chat_app.templates), ((), None))
        self.assertIsNone(shop_app.handler)
        self.assertEqual(len(shop_app.urlpatterns), 1)
        self.assertEqual(shop_app.templates, path / "Apps" / shop / "templates")

    def test_installed_apps(self) -> None:
        """Only those that are named, in that order."""
        names = [unique("A") for _ in range(3)]
        files = {f"Apps/{name}/socket_handlers.py": HANDLER for name in names}
        wanted = [names[2], names[0]]
        files["settings.py"] = f"DEBUG = True\nINSTALLED_APPS = {wanted}\nPROJECT_NAME = 'p'\n"
        project = load_project(self.project(files))
        self.assertEqual([app.name for app in project.apps], wanted)
        self.assertEqual(project.name, "p")

    def test_missing_app(self) -> None:
        path = self.project({"settings.py": "DEBUG = True\nINSTALLED_APPS = ['Nope']\n"})
        self.refused(path, "settings.py: INSTALLED_APPS names 'Nope'", "Apps/Nope")

    def test_app_named_twice(self) -> None:
        name = unique("A")
        settings = f"DEBUG = True\nINSTALLED_APPS = ['{name}', '{name}']\n"
        path = self.project({f"Apps/{name}/urls.py": "urlpatterns = []", "settings.py": settings})
        self.refused(path, f"settings.py: INSTALLED_APPS names '{name}' twice")

    def test_app_that_cannot_be_one(self) -> None:
        """A folder that would be an app but for its name is not passed over."""
        files = {"Apps/my-app/socket_handlers.py": HANDLER}
        self.refused(self.project(files), "'my-app' cannot be an app's name")
        files["settings.py"] = "DEBUG = True\nINSTALLED_APPS = ['my-app']\n"
        self.refused(self.project(files), "'my-app' cannot be an app's name")

    def test_packages(self) -> None:
        """A folder of a module's name is as good as the module."""
        name = unique("Chat")
        files = {
            f"Apps/{name}/socket_handlers/__init__.py": "from .deep import SocketConnectionHandler",
            f"Apps/{name}/socket_handlers/deep.py": HANDLER,
            f"Apps/{name}/urls/__init__.py": "urlpatterns = []\n",
        }
        (app,) = load_project(self.project(files)).apps
        self.assertEqual(app.handler.__name__, "SocketConnectionHandler")

    def test_links(self) -> None:
        """Settings and apps may be links to what is kept elsewhere."""
        name = unique("Chat")
        elsewhere = self.project(
            {
                "settings_live.py": "DEBUG = True\nPROJECT_NAME = 'live'\n",
                "socket_handlers.py": HANDLER,
            },
            "elsewhere",
        )
        path = self.project({"Apps/.keep": ""})
        (path / "settings.py").unlink()
        (path / "settings.py").symlink_to(elsewhere / "settings_live.py")
        (path / "Apps" / name).symlink_to(elsewhere)
        project = load_project(path)
        self.assertEqual((project.name, [app.name for app in project.apps]), ("live", [name]))

    def test_no_project(self) -> None:
        self.refused(self.folder / "nowhere", "no such folder")
        self.refused(self.folder, "settings.py: no such file")

    def test_modules_import_each_other(self) -> None:
        """By the project's names and relatively; a module is one module however named."""
        name = unique("Chat")
        files = {
            "shared.py": "VALUE = []\n",
            f"Apps/{name}/models.py": "from shared import VALUE\nROOMS = {}\n",
            f"Apps/{name}/socket_handlers.py": f"from Apps.{name}.models import ROOMS\n{HANDLER}",
            f"Apps/{name}/urls.py": (
                f"from .models import ROOMS\nfrom Apps.{name}.socket_handlers import ROOMS as B\n"
                "import settings\nassert ROOMS is B and settings.DEBUG\nurlpatterns = []\n"
            ),
        }
        load_project(self.project(files))

    def test_broken_modules(self) -> None:
        """The line says which file and which line in it."""
        for text, expected in (
            ("import nothing_like_this\n", ":1: ModuleNotFoundError: No module named"),
            ("x = 1\ny = = 2\n", "socket_handlers.py:2: SyntaxError"),
            ("\n\nraise ValueError('why')\n", "socket_handlers.py:3: ValueError: why"),
            ("x = 1\n", "socket_handlers.py: needs a class SocketConnectionHandler"),
            ("SocketConnectionHandler = 1\n", "but that is something else"),
            (HANDLER.replace("@event", '@event("connect")'), "'connect' is a reserved name"),
        ):
            name = unique("Broken")
            path = self.project({f"Apps/{name}/socket_handlers.py": text}, unique("project"))
            self.refused(path, str(path / "Apps" / name), expected)

    def test_broken_helper(self) -> None:
        """The innermost file of the project is named, not the one that imported it."""
        name = unique("Chat")
        path = self.project(
            {
                f"Apps/{name}/socket_handlers.py": f"from Apps.{name}.deep import x\n",
                f"Apps/{name}/deep.py": "import json\njson.loads('{')\n",
            }
        )
        self.refused(path, f"Apps/{name}/deep.py:2: JSONDecodeError")

    def test_broken_settings(self) -> None:
        path = self.project({"settings.py": "DEBUG = 1 / 0\n"})
        self.refused(path, "settings.py:1: ZeroDivisionError")

    def test_wrong_settings(self) -> None:
        path = self.project({"settings.py": "LISTEN_PORT = 'x'\nDEBUG = 2\n"})
        with self.assertRaises(SettingsError) as caught:
            load_project(path)
        self.assertIn(str(path / "settings.py"), str(caught.exception))
        self.assertEqual(len(caught.exception.problems), 3)

    def test_broken_urls(self) -> None:
        name = unique("Shop")
        self.refused(self.project({f"Apps/{name}/urls.py": "x = 1\n"}), "needs a list urlpatterns")

    def test_overrides(self) -> None:
        project = load_project(self.project({}), [("LOGIN_URL", "/in")])
        self.assertEqual(project.settings.login_url, "/in")


class TwoProjectsTests(LoaderTestCase):
    def test_two(self) -> None:
        """Each has its own settings and root modules; apps need names of their own."""
        first = self.project(
            {"settings.py": "DEBUG = True\nLOGIN_URL = '/one'\n", "socket_handlers.py": HANDLER},
            "one",
        )
        second = self.project(
            {"settings.py": "DEBUG = True\nLOGIN_URL = '/two'\n", "socket_handlers.py": HANDLER},
            "two",
        )
        projects = [load_project(first), load_project(second), load_project(first)]
        self.assertEqual([p.settings.login_url for p in projects], ["/one", "/two", "/one"])
        handlers = [p.apps[0].handler for p in projects]
        self.assertIsNot(handlers[0], handlers[1])
        self.assertIs(handlers[0], handlers[2])

    def test_same_app(self) -> None:
        name = unique("Chat")
        files = {f"Apps/{name}/socket_handlers.py": HANDLER}
        load_project(self.project(files, "one"))
        self.refused(self.project(files, "two"), "two projects in one process", "/one/")

    def test_packages_in_the_way(self) -> None:
        """An ``Apps/__init__.py`` of one hides the apps of the other: the line says so."""
        files = {f"Apps/{unique('Chat')}/socket_handlers.py": HANDLER}
        load_project(self.project({**files, "Apps/__init__.py": ""}, "one"))
        files = {f"Apps/{unique('Chat')}/socket_handlers.py": HANDLER}
        self.refused(
            self.project(files, "two"), "two/Apps", "another project's 'Apps' is in the way"
        )

    def test_shared_names(self) -> None:
        """Which settings an app of the second gets by ``import settings`` is told."""
        events: list = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        load_project(self.project({}, "one"))
        self.assertEqual(events, [])
        load_project(self.project({}, "two"))
        self.assertIn("'import settings' in an app gives the latter", formatEvent(events[0]))
