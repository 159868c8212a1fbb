"""`mojo.auth.passwords` and `mojo.auth.scrypt`."""

from __future__ import annotations

from threading import get_ident

from twisted.internet.defer import gatherResults
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mojo.auth import check_password, hash_password, needs_rehash, passwords, scrypt
from mojo.errors import TooManyWaiting

# The example of passlib's documentation, which is another program's hash of "password".
PASSLIB = "$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E"
CHEAP = scrypt.Parameters(ln=4, r=8, p=1)


def make(password: str = "correct horse", salt: bytes = b"0123456789abcdef") -> str:
    return scrypt.derive(password, salt, CHEAP)


def matches(password: str, text: str) -> bool:
    made = scrypt.parse(text)
    assert made is not None, text
    return scrypt.matches(password, made)


class ScryptTests(SynchronousTestCase):
    def test_of_another_program(self) -> None:
        self.assertTrue(matches("password", PASSLIB))
        self.assertFalse(matches("Password", PASSLIB))

    def test_vector(self) -> None:
        """RFC 7914 section 12, the second one: 64 bytes, N 1024, r 8, p 16."""
        key = bytes.fromhex(
            "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
            "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640"
        )
        made = scrypt.Hash(scrypt.Parameters(ln=10, r=8, p=16), b"NaCl", key)
        self.assertTrue(scrypt.matches("password", made))

    def test_round_trip(self) -> None:
        for password in ("correct horse", "", "\x00", "é\U0001f600", "\ud800", "x" * 1024):
            self.assertTrue(matches(password, make(password)))
            self.assertFalse(matches(password + "x", make(password)))

    def test_typed_otherwise(self) -> None:
        """One letter, or a letter and an accent: the same password."""
        self.assertTrue(matches("caf\u00e9", make("cafe\u0301")))

    def test_salt(self) -> None:
        self.assertNotEqual(make(), make(salt=b"another salt    "))

    def test_says_its_cost(self) -> None:
        self.assertTrue(scrypt.derive("x", b"salt").startswith("$scrypt$ln=15,r=8,p=3$c2FsdA$"))

    def test_no_hash(self) -> None:
        """Cut, empty, of another kind, or dearer than a server can bear."""
        good = make()
        for text in (
            "", "plain", good[:-30], good + "!", good.replace("scrypt", "argon2id"), good + "\n",
            good.replace("ln=4", "ln=30"), good.replace("ln=4", "ln=0"), good.replace("r=8", "r=0"),
            good.replace("r=8", "r=999").replace("ln=4", "ln=12"),
            good.replace("p=1", "p=999").replace("ln=4", "ln=14"),
        ):  # fmt: skip
            self.assertIsNone(scrypt.parse(text), text)

    def test_nothing_is_shown(self) -> None:
        made = scrypt.parse(make())
        self.assertNotIn("0123456789abcdef", repr(made))
        self.assertNotIn("key", repr(made))


class PasswordTests(TestCase):
    """In real threads."""

    def setUp(self) -> None:
        self.patch(scrypt, "CURRENT", CHEAP)

    async def test_round_trip(self) -> None:
        hashed = await hash_password("correct horse")
        self.assertTrue(await check_password("correct horse", hashed))
        self.assertFalse(await check_password("correct house", hashed))

    async def test_hashes_differ(self) -> None:
        self.assertNotEqual(await hash_password("a" * 8), await hash_password("a" * 8))

    async def test_no_account(self) -> None:
        """No password is the one of nobody, and each is hashed at the full cost."""
        seen: list[scrypt.Parameters] = []
        self.patch(scrypt, "matches", lambda _, made: bool(seen.append(made.parameters)))
        for password in ("", "correct horse", "x" * 10_000):
            self.assertFalse(await check_password(password, None))
        hashed = await hash_password("correct horse")
        self.assertFalse(await check_password("x" * 10_000, hashed))
        self.assertEqual(seen, [scrypt.Parameters(ln=15, r=8, p=3)] * 4)

    async def test_the_key_of_nobody(self) -> None:
        """Whoever found the password that the made up key is of would still be nobody."""
        self.patch(scrypt, "matches", lambda password, made: True)
        self.assertFalse(await check_password("found", None))

    async def test_off_the_reactor(self) -> None:
        """It is hashed in other threads, and no more than a few at once."""
        threads: list[int] = []
        counts: list[int] = []
        real = scrypt.derive

        def derive(password: str, salt: bytes) -> str:
            threads.append(get_ident())
            counts.append(passwords.AT_ONCE - passwords._turns.tokens)
            return real(password, salt)

        self.patch(scrypt, "derive", derive)
        await gatherResults([hash_password("correct horse") for _ in range(10)])
        self.assertEqual(len(threads), 10)
        self.assertNotIn(get_ident(), threads)
        self.assertLessEqual(max(counts), passwords.AT_ONCE)

    async def test_crowd(self) -> None:
        """Who comes when as many wait as may is told at once, and those go on."""
        self.patch(passwords, "MAX_WAITING", 3)
        self.patch(scrypt, "derive", lambda password, salt: password)
        crowd = [hash_password("correct horse") for _ in range(passwords.AT_ONCE + 3)]
        for more in (lambda: hash_password("correct horse"), lambda: check_password("x", None)):
            self.assertRaises(TooManyWaiting, more)
        self.assertEqual(await gatherResults(crowd), ["correct horse"] * len(crowd))
        self.assertEqual(await hash_password("correct horse"), "correct horse")


class LimitTests(SynchronousTestCase):
    def test_lengths(self) -> None:
        for password in ("", "1234567", "x" * 1025, "é" * 513):
            self.assertRaises(ValueError, hash_password, password)

    def test_no_hash(self) -> None:
        """A table with something else in it is a mistake, and is not quoted."""
        error = self.assertRaises(ValueError, check_password, "x", "hunter2")
        self.assertNotIn("hunter2", str(error))

    def test_no_text(self) -> None:
        """What a form did not send, or nobody decoded."""
        for wrong in (None, b"correct horse", 12345678):
            self.assertRaises(TypeError, hash_password, wrong)
            self.assertRaises(TypeError, check_password, wrong, None)
            self.assertRaises(TypeError, needs_rehash, wrong)
        self.assertRaises(TypeError, check_password, "correct horse", b"$scrypt$")

    def test_rehash(self) -> None:
        self.assertFalse(needs_rehash(scrypt.derive("correct horse", b"0123456789abcdef")))
        self.assertTrue(needs_rehash(make()))
        self.assertTrue(needs_rehash("of another kind"))
