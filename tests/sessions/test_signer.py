"""`mojo.sessions.signer`: one class for each attack."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from secrets import token_bytes

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from twisted.trial.unittest import SynchronousTestCase

from mojo.engineio import handshake as engine
from mojo.sessions.signer import Opened, Signer, weakness_of
from mojo.socketio import places

SECRET = "correct horse battery staple 0123456789"
OTHER = "a different secret, just as long 0123456789"
NOW = 1_700_000_000.0
DAY = 86400.0


def key_of(name: str) -> bytes:
    """Derive the key of a cookie as `mojo.sessions.signer` says."""
    hkdf = HKDF(SHA256(), 32, b"mojo.sessions.signer.v2", name.encode("ascii"))
    return hkdf.derive(SECRET.encode("ascii"))


class SignerTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.signer = Signer(SECRET, token_bytes=token_bytes)

    def seal(self, value: str = "value", name: str = "session_id") -> str:
        return self.signer.seal(name, value, now=NOW)

    def open(self, token: str, name: str = "session_id", now: float = NOW, signer=None):
        return (signer or self.signer).open(name, token, now=now, max_age=DAY)


class SealTests(SignerTestCase):
    def test_round_trip(self) -> None:
        for value in ("value", "", "é \x00 \U0001f600", "x" * 2000):
            self.assertEqual(self.open(self.seal(value)), Opened(value, int(NOW), True))

    def test_is_a_cookie_value(self) -> None:
        """Letters, digits, ``-``, ``_`` and ``=``: nothing that a header would mind."""
        self.assertRegex(self.seal("; path=/\r\n"), r"\A[\w=-]+\Z")

    def test_value_is_not_readable(self) -> None:
        self.assertNotIn(b"value", urlsafe_b64decode(self.seal("value value value")))

    def test_two_seals_differ(self) -> None:
        """A nonce that comes twice would give the key away."""
        nonces = {urlsafe_b64decode(self.seal())[9:21] for _ in range(100)}
        self.assertEqual(len(nonces), 100)

    def test_layout(self) -> None:
        """What `mojo.sessions.signer` says of a token, step by step."""
        data = urlsafe_b64decode(self.seal("é"))
        self.assertEqual(data[:9], b"\x02" + int(NOW).to_bytes(8, "big"))
        opened = AESGCM(key_of("session_id")).decrypt(data[9:21], data[21:], data[:9])
        self.assertEqual(opened, "é".encode())

    def test_too_long(self) -> None:
        with self.assertRaises(ValueError):
            self.seal("x" * 4000)


class TamperTests(SignerTestCase):
    def test_every_character(self) -> None:
        """No character of a token may be another one, be missing, or be added."""
        token = self.seal()
        for index, character in enumerate(token):
            other = "A" if character != "A" else "B"
            self.assertIsNone(self.open(token[:index] + other + token[index + 1 :]), index)
            self.assertIsNone(self.open(token[:index] + token[index + 1 :]), index)
            for added in "A=!\n ":
                self.assertIsNone(self.open(token[:index] + added + token[index:]), index)
        self.assertIsNone(self.open(token + "="))

    def test_truncated(self) -> None:
        token = self.seal()
        for length in range(len(token)):
            self.assertIsNone(self.open(token[:length]))

    def test_every_byte(self) -> None:
        """The same for what is spelt in base64: version, time, nonce, value and tag."""
        data = urlsafe_b64decode(self.seal())
        for index in range(len(data)):
            changed = data[:index] + bytes([data[index] ^ 1]) + data[index + 1 :]
            self.assertIsNone(self.open(urlsafe_b64encode(changed).decode()), index)
            self.assertIsNone(self.open(urlsafe_b64encode(data[:index]).decode()), index)

    def test_no_text(self) -> None:
        """Nobody but who has the secret can make one; it is no good one for all that."""
        nonce, dated = bytes(12), b"\x02" + int(NOW).to_bytes(8, "big")
        box = AESGCM(key_of("session_id"))
        for value, opened in ((b"\xff\xfe", None), (b"text", Opened("text", int(NOW), True))):
            token = urlsafe_b64encode(dated + nonce + box.encrypt(nonce, value, dated))
            self.assertEqual(self.open(token.decode("ascii")), opened)

    def test_nonsense(self) -> None:
        for token in ("", "x", "é", "\x00", "null", "a" * 10_000, "AgAAAA", "🙂" * 10):
            self.assertIsNone(self.open(token))


class SwapTests(SignerTestCase):
    def test_other_name(self) -> None:
        """A ``session_id`` is no ``logged_in``: each name has a key of its own."""
        self.assertIsNone(self.open(self.seal(name="session_id"), "logged_in"))
        self.assertIsNone(self.open(self.seal(name="logged_in"), "session_id"))

    def test_shifted_delimiter(self) -> None:
        """Name and value are not one text: ``ab`` + ``c`` is not ``a`` + ``bc``."""
        self.assertIsNone(self.open(self.seal("c", "ab"), "a"))


class AgeTests(SignerTestCase):
    def test_expiry(self) -> None:
        token = self.seal()
        self.assertIsNotNone(self.open(token, now=NOW + DAY))
        self.assertIsNone(self.open(token, now=NOW + DAY + 1))

    def test_future(self) -> None:
        """A minute is forgiven, for clocks that differ."""
        token = self.seal()
        self.assertIsNotNone(self.open(token, now=NOW - 59))
        self.assertIsNone(self.open(token, now=NOW - 61))


class KeyTests(SignerTestCase):
    def test_other_secret(self) -> None:
        self.assertIsNone(self.open(self.seal(), signer=Signer(OTHER, token_bytes=token_bytes)))

    def test_rotation(self) -> None:
        """An earlier secret opens, the newest seals; without the earlier one it is over."""
        token = self.seal()
        rotated = Signer(OTHER, [SECRET], token_bytes=token_bytes)
        self.assertIsNotNone(self.open(token, signer=rotated))
        new = rotated.seal("session_id", "value", now=NOW)
        self.assertIsNone(self.open(new))
        self.assertIsNotNone(self.open(new, signer=Signer(OTHER, token_bytes=token_bytes)))
        self.assertIsNone(self.open(token, signer=Signer(OTHER, token_bytes=token_bytes)))

    def test_fallbacks_that_are_one_text(self) -> None:
        """Each letter of it would be a secret."""
        self.assertRaises(TypeError, Signer, SECRET, "an earlier secret")

    def test_what_is_opened_is_not_shown(self) -> None:
        opened = Opened("a value", 1_700_000_000, True)
        self.assertNotIn("a value", repr(opened))
        for identity in (engine.Identity("s3cret", "ada"), places.Identity("s3cret", "ada")):
            self.assertEqual(repr(identity), "<Identity of 'ada'>")

    def test_nothing_is_shown(self) -> None:
        self.assertNotIn("correct", repr(self.signer))


class WeaknessTests(SynchronousTestCase):
    def test_weak(self) -> None:
        for secret in ("", "short", "a" * 100, "0123456789" * 2, "abcabcabc" * 10):
            self.assertIsNotNone(weakness_of(secret), secret)

    def test_examples(self) -> None:
        """What documentation shows is not secret."""
        for secret in (
            "please-change-me-0123456789abcdefghij",
            "django-insecure-0123456789abcdefghijkl",
            "your-secret-0123456789abcdefghijklmnop",
        ):
            self.assertIsNotNone(weakness_of(secret), secret)

    def test_strong(self) -> None:
        self.assertIsNone(weakness_of(SECRET))
