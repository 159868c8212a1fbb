"""`mojo.auth.cookies`, held against cookies that the real frameworks made."""

from __future__ import annotations

import hashlib
from hashlib import sha256

import flask
import itsdangerous
from django.conf import settings as django_settings
from django.core import signing
from tornado.web import create_signed_value
from twisted.trial.unittest import SynchronousTestCase

from mojo.auth import DjangoSession, FlaskSession, ItsDangerousCookie, TornadoCookie
from mojo.errors import SettingsError

SECRET = "correct horse battery staple 0123456789"
OTHER = "a different secret, just as long 0123456789"
NOW = 1_700_000_000.0
HOUR = 3600.0

if not django_settings.configured:
    django_settings.configure(SECRET_KEY=SECRET)


class ReaderTests:
    """
    What holds for each of them.

    Attributes:
        cookie: the cookie's name.
        takes_fallbacks: whether earlier secrets are an argument of its own.
    """

    cookie: str
    takes_fallbacks = True

    def reader(self, secret: str = SECRET, **options):
        raise NotImplementedError

    def make(self, user: object, secret: str = SECRET, now: float = NOW, **options) -> str:
        """Have the framework make a cookie."""
        raise NotImplementedError

    def read(self, *tokens: str, now: float = NOW, reader=None):
        reader = reader or self.reader(max_age=HOUR)
        return reader.from_cookies({self.cookie: tokens}, now)

    def user(self, *tokens: str, **options) -> str | None:
        credential = self.read(*tokens, **options)
        return None if credential is None else credential.user_id

    def test_good(self) -> None:
        """Who, since when, until when; and always the same id."""
        token = self.make("ada")
        first, second = self.read(token), self.read(token, now=NOW + 60)
        self.assertEqual(first.user_id, "ada")
        self.assertEqual((first.since, first.expires), (NOW, NOW + HOUR))
        self.assertEqual(first, second)
        self.assertNotEqual(first.id, self.read(self.make("ada", now=NOW - 1)).id)
        self.assertEqual(self.user(self.make("Zoë 😀")), "Zoë 😀")

    def test_nobody(self) -> None:
        self.assertIsNone(self.reader().from_cookies({}, NOW))
        self.assertIsNone(self.user(self.make("")))

    def test_age(self) -> None:
        token = self.make("ada")
        self.assertEqual(self.user(token, now=NOW + HOUR), "ada")
        self.assertIsNone(self.user(token, now=NOW + HOUR + 1))

    def test_future(self) -> None:
        """A minute is forgiven, for clocks that differ."""
        token = self.make("ada", now=NOW + 60)
        self.assertEqual(self.user(token), "ada")
        self.assertIsNone(self.user(self.make("ada", now=NOW + 62)))

    def test_forged(self) -> None:
        self.assertIsNone(self.user(self.make("ada", OTHER)))

    def test_tampered(self) -> None:
        """No character may be another one, be missing, or be added: one token, one spelling."""
        token = self.make("ada")
        for index, character in enumerate(token):
            other = "A" if character != "A" else "B"
            before, after = token[:index], token[index + 1 :]
            self.assertIsNone(self.user(before + other + after), index)
            self.assertIsNone(self.user(before + after), index)
            for added in "A=|.:\n":
                self.assertIsNone(self.user(before + added + character + after), index)
        for added in ("=", "A", " ", "\n"):
            self.assertIsNone(self.user(token + added))

    def test_truncated(self) -> None:
        token = self.make("ada")
        for length in range(len(token)):
            self.assertIsNone(self.user(token[:length]), length)

    def test_nonsense(self) -> None:
        for token in (
            "", "x", "é", "\x00", ".", "..", "...", ":", "::", "|", "2|", "2|1:0|", "a.b.c",
            "a:b:c", "2|1:0|1:0|1:a|1:a|", "2|9999999999999:0|", "2|-1:0|",
            "2|١:0|1:0|1:a|1:a|x", "🙂" * 9,
        ):  # fmt: skip
            self.assertIsNone(self.user(token), token)

    def test_oversized(self) -> None:
        """Beyond what a browser keeps it is not looked at, however good."""
        # Text that is not made shorter by compression.
        noise = "".join(sha256(bytes([n])).hexdigest() for n in range(150))
        self.assertEqual(self.user(self.make(noise[:1000])), noise[:1000])
        big = self.make(noise)
        self.assertGreater(len(big), 4096)
        self.assertIsNone(self.user(big))
        self.assertIsNone(self.user("x" * 1_000_000))

    def test_doubles(self) -> None:
        """A planted double that is good leaves nobody; one that is not is passed over."""
        mine, theirs = self.make("ada"), self.make("mallory")
        self.assertIsNone(self.user(mine, theirs))
        self.assertIsNone(self.user(theirs, mine))
        self.assertEqual(self.user("forged", mine), "ada")
        self.assertEqual(self.user(mine, mine), "ada")

    def test_other_name(self) -> None:
        reader = self.reader(cookie="other")
        self.assertIsNone(reader.from_cookies({self.cookie: (self.make("ada"),)}, NOW))

    def test_rotation(self) -> None:
        """What an earlier secret signed is good, for as long as that is listed."""
        old, new = self.make("ada", SECRET), self.make("bob", OTHER)
        rotated = self.rotated()
        self.assertEqual(self.user(old, reader=rotated), "ada")
        self.assertEqual(self.user(new, reader=rotated), "bob")
        self.assertIsNone(self.user(old, reader=self.reader(OTHER)))

    def rotated(self):
        return self.reader(OTHER, fallbacks=[SECRET])

    def test_mistakes(self) -> None:
        """What is wrong is said, without the secret."""
        for secret in ("", None, 42):
            self.assertRaises(SettingsError, self.reader, secret)
        for age in (0, -1, "1", True, None):
            error = self.assertRaises(SettingsError, self.reader, SECRET, max_age=age)
            self.assertNotIn("horse", str(error))
        self.assertNotIn("horse", repr(self.reader()))

    def test_fallbacks_that_are_one_text(self) -> None:
        """Each letter of it would be a secret, which anybody could sign with."""
        if self.takes_fallbacks:
            for fallbacks in (SECRET, None, 5):
                error = self.assertRaises(SettingsError, self.reader, fallbacks=fallbacks)
                self.assertIn("a list of secrets", str(error))
                self.assertNotIn("horse", str(error))


class TornadoTests(ReaderTests, SynchronousTestCase):
    cookie = "logged_in"
    takes_fallbacks = False

    def test_versions_that_are_no_numbers(self) -> None:
        """No cookie would ever be of one of these."""
        self.assertRaises(SettingsError, TornadoCookie, {"1": SECRET})

    def reader(self, secret=SECRET, **options):
        return TornadoCookie(secret, **options)

    def make(self, user, secret=SECRET, now=NOW, name="logged_in", version=2, key=None) -> str:
        made = create_signed_value(
            secret, name, str(user), version=version, clock=lambda: now, key_version=key
        )
        return made.decode()

    def rotated(self):
        """Tornado's secrets have versions, which are in the value."""
        return TornadoCookie({0: SECRET, 3: OTHER})

    def test_versions(self) -> None:
        both = {3: OTHER, 4: SECRET}
        for key, expected in ((3, "ada"), (4, "ada")):
            token = self.make("ada", both, key=key)
            self.assertEqual(self.user(token, reader=TornadoCookie(both)), expected)
        token = self.make("ada", both, key=4)
        self.assertIsNone(self.user(token, reader=TornadoCookie({3: OTHER})))
        self.assertIsNone(self.user(token, reader=TornadoCookie({3: SECRET})))

    def test_rotation(self) -> None:
        old, new = self.make("ada"), self.make("bob", {3: OTHER}, key=3)
        self.assertEqual(self.user(old, reader=self.rotated()), "ada")
        self.assertEqual(self.user(new, reader=self.rotated()), "bob")
        self.assertIsNone(self.user(old, reader=TornadoCookie({3: OTHER})))

    def test_swapped(self) -> None:
        """A value that was signed for another cookie: ``session_id`` is no ``logged_in``."""
        self.assertIsNone(self.user(self.make("ada", name="session_id")))

    def test_version_1(self) -> None:
        """It was SHA-1 over what had no delimiters."""
        self.assertIsNone(self.user(self.make("ada", version=1)))


class FlaskTests(ReaderTests, SynchronousTestCase):
    cookie = "session"

    def reader(self, secret=SECRET, **options):
        return FlaskSession(secret, **options)

    def make(self, user, secret=SECRET, now=NOW, **more) -> str:
        """Have a Flask application log somebody in, and take its cookie."""
        self.patch(itsdangerous.TimestampSigner, "get_timestamp", lambda _: int(now))
        app = flask.Flask("tests")
        app.secret_key = secret

        @app.route("/")
        def log_in():
            flask.session.update({"_user_id": user, "_fresh": True, **more})
            return ""

        response = app.test_client().get("/")
        cookie = response.headers["Set-Cookie"].split(";")[0]
        return cookie.removeprefix("session=")

    def test_compressed(self) -> None:
        """A session that is long is deflated."""
        token = self.make("ada", cart=["an apple"] * 100)
        self.assertTrue(token.startswith("."))
        self.assertEqual(self.user(token), "ada")

    def test_bomb(self) -> None:
        """Even what the application itself has packed is not unpacked without end."""
        token = self.make("ada", cart="x" * 1_000_000)
        self.assertLess(len(token), 4096)
        self.assertIsNone(self.user(token))

    def test_number(self) -> None:
        """Numbers are text from here on; what is no id is nobody."""
        self.assertEqual(self.user(self.make(42)), "42")
        for user in (None, True, 1.5, ["ada"], {"a": 1}):
            self.assertIsNone(self.user(self.make(user)), user)

    def test_another_key(self) -> None:
        token = self.make("", uid=7)
        self.assertEqual(self.user(token, reader=FlaskSession(SECRET, "uid")), "7")

    def test_anonymous(self) -> None:
        """A session without a login, also beside a good one."""
        self.assertIsNone(self.user(self.make(None, cart=[])))
        self.assertEqual(self.user(self.make(None, cart=[]), self.make("ada")), "ada")


class ItsDangerousTests(ReaderTests, SynchronousTestCase):
    cookie = "auth"

    def reader(self, secret=SECRET, cookie="auth", **options):
        return ItsDangerousCookie(secret, cookie, "user", **options)

    def make(self, user, secret=SECRET, now=NOW, digest=None, **options) -> str:
        self.patch(itsdangerous.TimestampSigner, "get_timestamp", lambda _: int(now))
        if digest is not None:
            options["signer_kwargs"] = {
                "digest_method": getattr(hashlib, digest),
                "key_derivation": "hmac",
            }
        serializer = itsdangerous.URLSafeTimedSerializer(secret, **options)
        return serializer.dumps({"user": user})

    def test_parameters(self) -> None:
        """Salt, digest and derivation are the reader's, and no other will do."""
        token = self.make("ada", salt="x", digest="sha256")
        options = {"salt": "x", "digest": "sha256", "derivation": "hmac"}
        self.assertEqual(self.user(token, reader=self.reader(**options)), "ada")
        for name, value in (("salt", "y"), ("digest", "sha512"), ("derivation", "django-concat")):
            reader = self.reader(**{**options, name: value})
            self.assertIsNone(self.user(token, reader=reader), name)
        self.assertIsNone(self.user(self.make("ada", salt="cookie-session")))

    def test_wrong_parameters(self) -> None:
        self.assertRaises(SettingsError, self.reader, digest="md5")
        self.assertRaises(SettingsError, self.reader, derivation="none")

    def test_without_a_time(self) -> None:
        """What the untimed serializer signs has no age."""
        self.assertIsNone(self.user(itsdangerous.URLSafeSerializer(SECRET).dumps({"user": "ada"})))

    def test_no_dict(self) -> None:
        self.patch(itsdangerous.TimestampSigner, "get_timestamp", lambda _: int(NOW))
        for value in ("ada", ["user"], None, 1):
            token = itsdangerous.URLSafeTimedSerializer(SECRET).dumps(value)
            self.assertIsNone(self.user(token))


class DjangoTests(ReaderTests, SynchronousTestCase):
    cookie = "sessionid"

    def reader(self, secret=SECRET, **options):
        return DjangoSession(secret, **options)

    def make(self, user, secret=SECRET, now=NOW, serializer=None, **more) -> str:
        """Have Django's own backend write a session."""
        from django.contrib.sessions.backends.signed_cookies import SessionStore

        self.patch(signing.time, "time", lambda: now)
        self.patch(django_settings, "SECRET_KEY", secret)
        store = SessionStore()
        if serializer is not None:
            store.serializer = serializer
        store["_auth_user_id"] = user
        store["_auth_user_backend"] = "django.contrib.auth.backends.ModelBackend"
        store["_auth_user_hash"] = "0123456789abcdef" * 4
        store.update(more)
        store.save()
        return store.session_key

    def test_compressed(self) -> None:
        token = self.make("7", cart=["an apple"] * 100)
        self.assertTrue(token.startswith("."))
        self.assertEqual(self.user(token), "7")

    def test_pickle(self) -> None:
        """A session of Django's former serializer is not opened."""
        import pickle

        class Pickled:
            loaded: list = []  # noqa: RUF012

            def dumps(self, value):
                return pickle.dumps(value)

        self.patch(pickle, "loads", lambda _: self.fail("it was unpickled"))
        self.assertIsNone(self.user(self.make("7", serializer=Pickled)))

    def test_swapped(self) -> None:
        """What Django signs with another salt is no session."""
        self.patch(signing.time, "time", lambda: NOW)
        token = signing.dumps({"_auth_user_id": "7"}, key=SECRET)
        self.assertIsNone(self.user(token))
