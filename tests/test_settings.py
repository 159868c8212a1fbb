"""`mojo.settings`: defaults, checks, and all problems at once."""

from twisted.trial.unittest import SynchronousTestCase

from mojo.engineio import EngineOptions
from mojo.errors import SettingsError
from mojo.sessions.signer import weakness_of
from mojo.settings import Settings, SocketIOSettings, parse_override, read_settings
from mojo.socketio import SocketOptions

SECRET = "correct horse battery staple 0123456789"


def read(overrides=(), **values):
    return read_settings(
        {"COOKIE_SECRET": SECRET, **values},
        overrides,
        source="settings.py",
        weakness_of=weakness_of,
    )


class SettingsTestCase(SynchronousTestCase):
    def problems(self, overrides=(), **values) -> tuple[str, ...]:
        with self.assertRaises(SettingsError) as caught:
            read(overrides, **values)
        self.assertTrue(str(caught.exception).startswith("settings.py: "))
        return caught.exception.problems


class ReadTests(SettingsTestCase):
    def test_defaults(self) -> None:
        settings = read()
        self.assertFalse(settings.debug)
        self.assertEqual(settings.endpoints, ("tcp:8000:interface=127.0.0.1",))
        self.assertEqual(settings.socket_io.path, "/socket.io/")
        self.assertEqual(settings.login_url, "/login")
        self.assertIsNone(settings.installed_apps)

    def test_defaults_are_the_layers(self) -> None:
        """A default stands in two places: here, and where a layer is used alone."""
        sockets = Settings().socket_io
        for options in (EngineOptions(), SocketOptions()):
            for name in options.__slots__:
                if hasattr(sockets, name):
                    self.assertEqual(getattr(sockets, name), getattr(options, name), name)

    def test_values(self) -> None:
        settings = read(
            DEBUG=True,
            PROJECT_NAME="p",
            LISTEN=["tcp:1", "unix:/x"],
            TRUSTED_PROXIES=["10.0.0.0/8", "::1", "unix"],
            ALLOWED_ORIGINS=["https://a.example", "null", "*"],
            SOCKET_IO={"ping_interval": 5, "transports": ["websocket"]},
            MY_OWN=object(),
            lower=1,
            _PRIVATE=1,
        )
        self.assertEqual(settings.endpoints, ("tcp:1", "unix:/x"))
        self.assertEqual(settings.socket_io.ping_interval, 5)
        self.assertEqual(settings.socket_io.transports, ("websocket",))

    def test_nothing_secret_is_shown(self) -> None:
        """Neither in the settings' own text nor in what is wrong with one."""
        settings = read(
            COOKIE_SECRET_FALLBACKS=["a former secret 0123456789 abcdefgh"],
            SESSION_STORE="redis://:password@host",
            REDIS="redis://:password@host",
        )
        for secret in (SECRET, "a former secret", "password"):
            self.assertNotIn(secret, repr(settings))
        problems = self.problems(SESSION_STORE="http://:password@host")
        self.assertNotIn("password", problems[0])

    def test_port(self) -> None:
        self.assertEqual(read(LISTEN_PORT=80).endpoints, ("tcp:80",))

    def test_each_problem_names_its_setting(self) -> None:
        for values, expected in (
            ({"DEBUG": 1}, "DEBUG must be True or False, not int"),
            ({"LISTEN": "tcp:1"}, "LISTEN must be a list of endpoint strings, not str"),
            ({"LISTEN": [1]}, "LISTEN must be a list of endpoint strings, but holds int"),
            ({"LISTEN_PORT": True}, "LISTEN_PORT must be a whole number of port, not bool"),
            ({"LISTEN_PORT": 70000}, "LISTEN_PORT must be a port, not 70000"),
            ({"LISTEN_PORT": 1, "LISTEN": ["x"]}, "LISTEN and LISTEN_PORT cannot both be set"),
            ({"TRUSTED_PROXIES": ["x"]}, "TRUSTED_PROXIES holds 'x', which is no IP address"),
            ({"ALLOWED_ORIGINS": ["a.example"]}, "ALLOWED_ORIGINS holds 'a.example', which is no"),
            ({"ALLOWED_ORIGINS": ["https://a/"]}, "ALLOWED_ORIGINS holds 'https://a/'"),
            ({"LOGIN_URL": "login"}, "LOGIN_URL must be a path such as '/login', or a whole URL"),
            ({"LOGIN_URL": "/a\n"}, "LOGIN_URL must be a path"),
            ({"LOGIN_URL": 1}, "LOGIN_URL must be a URL, not int"),
            ({"STATIC_PATH": ""}, "STATIC_PATH must be a folder's name below the project, or"),
            ({"TEMPLATE_PATH": 1}, "TEMPLATE_PATH must be a folder's name"),
            ({"ALLOWED_ORIGINS": ["https://*.a.example"]}, "ALLOWED_ORIGINS holds 'https://*"),
            ({"ALLOWED_ORIGINS": ["https://a@b"]}, "ALLOWED_ORIGINS holds 'https://a@b'"),
            ({"ALLOWED_ORIGINS": ["https://x:99999"]}, "ALLOWED_ORIGINS holds 'https://x:99999'"),
            ({"ALLOWED_ORIGINS": ["https://x:"]}, "ALLOWED_ORIGINS holds 'https://x:'"),
            ({"ALLOWED_ORIGINS": ["https://x?y"]}, "ALLOWED_ORIGINS holds 'https://x?y'"),
            ({"SOCKET_IO": {"transports": []}}, "SOCKET_IO['transports'] must hold one of the"),
            ({"SESSION_STORE": "nowhere"}, "SESSION_STORE must be 'memory', 'cookie', a URL"),
            ({"SESSION_STORE": "redis://"}, "SESSION_STORE must be 'memory'"),
            ({"SESSION_MAX_SIZE": 0}, "SESSION_MAX_SIZE must be 1 bytes or more"),
            ({"REDIS": "localhost"}, "REDIS must be a URL such as 'redis://localhost'"),
            ({"WORKERS": 0}, "WORKERS must be 1 processes or more, not 0"),
            ({"WORKERS": "many"}, "WORKERS must be a number of processes or 'auto', not 'many'"),
            ({"REDIS": 6379}, "REDIS must be a URL such as 'redis://localhost'"),
            ({"LOGIN_MAX_AGE": -1}, "LOGIN_MAX_AGE must be 1 seconds or more, not -1"),
            ({"MAX_BODY": 1.5}, "MAX_BODY must be a whole number of bytes, not float"),
            ({"SOCKET_IO": []}, "SOCKET_IO must be a dict, not list"),
            ({"SOCKET_IO": {"ping_interval": 0}}, "SOCKET_IO['ping_interval'] must be 0.001"),
            ({"SOCKET_IO": {"ping_timeout": "x"}}, "SOCKET_IO['ping_timeout'] must be a number"),
            ({"SOCKET_IO": {"ping_timeout": float("inf")}}, "SOCKET_IO['ping_timeout'] must be"),
            ({"SOCKET_IO": {"path": "x"}}, "SOCKET_IO['path'] must be a URL path"),
            ({"SOCKET_IO": {"path": "/"}}, "SOCKET_IO['path'] must be a URL path"),
            ({"SOCKET_IO": {"transports": ["x"]}}, "SOCKET_IO['transports'] holds 'x', which is"),
            ({"SOCKET_IO": {"max_payload": 0}}, "SOCKET_IO['max_payload'] must be 1 bytes or more"),
            ({"SOCKET_IO": {"overflow": "drop"}}, "SOCKET_IO['overflow'] is none of 'close', 'dro"),
            ({"SOCKET_IO": {"max_buffered": 0}}, "SOCKET_IO['max_buffered'] must be 1 bytes or"),
            ({"SOCKET_IO": {"parser": "xml"}}, "SOCKET_IO['parser'] must be 'json', 'msgpack', or"),
            ({"SOCKET_IO": {"encoder": "."}}, "SOCKET_IO['encoder'] must be 'common', or an"),
            ({"SOCKET_IO": {"allow_request": "x"}}, "SOCKET_IO['allow_request'] must be a "),
            ({"SOCKET_IO": {"headers": 1}}, "SOCKET_IO['headers'] must be a function, or its"),
            ({"SOCKET_IO": {"cookie": 1}}, "SOCKET_IO['cookie'] must be a name, a dict or None"),
            ({"SOCKET_IO": {"cookie": "a b"}}, "SOCKET_IO['cookie'] must be a cookie's name"),
            ({"SOCKET_IO": {"cookie": {"same_site": "x"}}}, "SOCKET_IO['cookie'] has 'same_si"),
            ({"SOCKET_IO": {"cookie": {"path": "/;"}}}, "SOCKET_IO['cookie'] has 'path', which"),
            ({"SOCKET_IO": {"cookie": {"x": 1}}}, "SOCKET_IO['cookie'] has no key 'x'; those"),
            ({"SOCKET_IO": {"per_message_deflate": 1}}, "SOCKET_IO['per_message_deflate'] must be"),
            ({"SOCKET_IO": {"per_message_deflate": {"mem_level": 10}}},
             "SOCKET_IO['per_message_deflate'] has 'mem_level', which must be 9 levels or less"),
            ({"SOCKET_IO": {"per_message_deflate": {"server_max_window_bits": 8}}},
             "SOCKET_IO['per_message_deflate'] has 'server_max_window_bits', which must"),
            ({"SOCKET_IO": {"sid_prefix": "a&"}}, "SOCKET_IO['sid_prefix'] must be up to 50 let"),
            ({"SOCKET_IO": {"sid_prefix": "a" * 51}}, "SOCKET_IO['sid_prefix'] must be up to"),
            ({"DRAIN_SECONDS": -1}, "DRAIN_SECONDS must be 0 seconds or more, not -1"),
            ({"HEALTH_PATH": "healthz"}, "HEALTH_PATH must be a URL path such as '/socket.io/'"),
            ({"READY_PATH": True}, "READY_PATH must be a URL path, not bool"),
            ({"SOCKET_IO": {"foo": 1}}, "SOCKET_IO['foo'] is no setting of Mojo"),
            ({"INSTALLED_APPS": "Chat"}, "INSTALLED_APPS must be a list of app names, not str"),
        ):  # fmt: skip
            (problem,) = self.problems(**values)
            self.assertTrue(problem.startswith(expected), problem)

    def test_all_at_once(self) -> None:
        problems = self.problems(DEBUG=0, LISTEN_PORT="x", SOCKET_IO={"a": 1, "b": 2})
        self.assertEqual(len(problems), 4)

    def test_slips(self) -> None:
        """A near miss of a name is a mistake; a name far from all is the project's own."""
        self.assertEqual(
            self.problems(LISTEN_PROT=1),
            ("LISTEN_PROT is no setting of Mojo; did you mean LISTEN_PORT?",),
        )
        self.assertIn(
            "did you mean SOCKET_IO['ping_interval']?",
            self.problems(SOCKET_IO={"ping_intervall": 1})[0],
        )
        read(STRIPE_KEY="x", DATABASE_URL="y")

    def test_secret(self) -> None:
        """None, a weak one, an example's: refused unless DEBUG."""
        for secret in ("", "short", "a" * 40, "please-change-me-0123456789abcdefghij"):
            (problem,) = self.problems(COOKIE_SECRET=secret)
            self.assertIn("COOKIE_SECRET", problem)
            self.assertNotIn(secret or "\0", problem)
            read(COOKIE_SECRET=secret, DEBUG=True)
        (problem,) = self.problems(COOKIE_SECRET_FALLBACKS=[SECRET, "weak"])
        self.assertIn("COOKIE_SECRET_FALLBACKS[1]", problem)


class OverrideTests(SettingsTestCase):
    def test_parsing(self) -> None:
        for text, expected in (
            ("DEBUG=True", ("DEBUG", True)),
            ("LISTEN_PORT=80", ("LISTEN_PORT", 80)),
            ("PROJECT_NAME=My chat", ("PROJECT_NAME", "My chat")),
            ("LISTEN=['tcp:1']", ("LISTEN", ["tcp:1"])),
            ("A=b=c", ("A", "b=c")),
            ("A=", ("A", "")),
            ("A={[]: 1}", ("A", "{[]: 1}")),
            ("A=" + "(" * 5000, ("A", "(" * 5000)),
        ):
            self.assertEqual(parse_override(text), expected)
        for text in ("DEBUG", "=1", " =1"):
            self.assertRaises(SettingsError, parse_override, text)

    def test_override(self) -> None:
        settings = read(
            [("DEBUG", True), ("SOCKET_IO.ping_interval", 3)],
            DEBUG=False,
            SOCKET_IO={"ping_interval": 5, "ping_timeout": 7},
        )
        self.assertTrue(settings.debug)
        self.assertEqual(
            (settings.socket_io.ping_interval, settings.socket_io.ping_timeout), (3, 7)
        )

    def test_where_to_listen(self) -> None:
        """It has two names, and the one on the command line counts."""
        port = read([("LISTEN_PORT", 80)], LISTEN=["unix:/x"])
        self.assertEqual(port.endpoints, ("tcp:80",))
        self.assertEqual(read([("LISTEN", ["unix:/x"])], LISTEN_PORT=80).endpoints, ("unix:/x",))

    def test_unknown(self) -> None:
        """On a command line every unknown name is a slip."""
        self.assertEqual(self.problems([("STRIPE", 1)]), ("STRIPE is no setting of Mojo",))
        self.assertEqual(
            self.problems([("DEBUG.x", 1)], DEBUG=True),
            ("DEBUG is no dict that could have a key 'x'",),
        )
        read([("STRIPE_KEY", "y")], STRIPE_KEY="x")


class CodeTests(SynchronousTestCase):
    """Settings that are made in code are held to the same."""

    def test_checked(self) -> None:
        with self.assertRaises(SettingsError) as caught:
            Settings(debug=1, allowed_origins="https://a.example")
        self.assertEqual(
            caught.exception.problems,
            (
                "DEBUG must be True or False, not int",
                "ALLOWED_ORIGINS must be a list of origins, not str",
            ),
        )
        with self.assertRaises(SettingsError):
            SocketIOSettings(ping_interval=0)
        self.assertEqual(Settings(listen=["tcp:1"]).listen, ("tcp:1",))

    def test_values_that_are_right(self) -> None:
        Settings(
            static_path=None,
            template_path=None,
            login_url="https://sso.example/login?from=here",
            allowed_origins=("chrome-extension://abcdef", "https://[::1]:8443", "http://a"),
        )


class RecoverySettingTests(SynchronousTestCase):
    def problems(self, value) -> tuple[str, ...]:
        error = self.assertRaises(
            SettingsError, read_settings, {"DEBUG": True, "SOCKET_IO": {"recovery": value}}
        )
        return error.problems

    def test_good(self) -> None:
        for value in (None, {}, {"max_disconnection": 1.5, "max_packets": 1}):
            settings = read_settings({"DEBUG": True, "SOCKET_IO": {"recovery": value}})
            self.assertEqual(settings.socket_io.recovery, value)

    def test_bad(self) -> None:
        """The message names the setting, the key and the value's fault."""
        for value, problem in (
            (True, "must be a dict, not bool"),
            ({"max_bites": 1}, "has the key 'max_bites'; there are 'max_disconnection',"),
            ({"max_packets": 0}, "['max_packets'] must be 1 packets or more, not 0"),
        ):
            (found,) = self.problems(value)
            self.assertTrue(found.startswith(f"SOCKET_IO['recovery'] {problem}"), found)
