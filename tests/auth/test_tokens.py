"""`mojo.auth.tokens`, held against tokens that PyJWT made, and some that it would not make."""

from __future__ import annotations

import hmac
import json
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from twisted.trial.unittest import SynchronousTestCase

from mojo.auth import BearerToken
from mojo.auth.readers import encode_base64
from mojo.errors import SettingsError

SECRET = "correct horse battery staple 0123456789"
OTHER = "a different secret, just as long 0123456789"
NOW = 1_700_000_000.0


def pair(private: Any) -> tuple[str, str]:
    """Give a private and a public key as PEM."""
    return (
        private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
    )


RSA = pair(rsa.generate_private_key(65537, 2048))
EC = pair(ec.generate_private_key(ec.SECP256R1()))
ED = pair(ed25519.Ed25519PrivateKey.generate())


def make(key: str = SECRET, algorithm: str = "HS256", headers: Any = None, **claims: object) -> str:
    claims = {"sub": "ada", "iat": NOW, "exp": NOW + 600, **claims}
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(claims, key, algorithm, headers=headers)


def by_hand(header: dict[str, object], claims: dict[str, object], key: str = SECRET) -> str:
    """Make a token that PyJWT would not make."""
    signed = ".".join(encode_base64(json.dumps(part).encode()) for part in (header, claims))
    signature = hmac.new(key.encode(), signed.encode(), "sha256").digest()
    return f"{signed}.{encode_base64(signature)}"


class TokenTestCase(SynchronousTestCase):
    def user(self, token: object, now: float = NOW, reader: BearerToken | None = None):
        credential = (reader or BearerToken(SECRET)).from_auth({"token": token}, now)
        return None if credential is None else credential.user_id


class GoodTests(TokenTestCase):
    def test_good(self) -> None:
        credential = BearerToken(SECRET).from_auth({"token": make()}, NOW)
        self.assertEqual(credential.user_id, "ada")
        self.assertEqual((credential.since, credential.expires), (NOW, NOW + 600))

    def test_algorithms(self) -> None:
        for (private, public), algorithm in (
            (RSA, "RS256"), (RSA, "PS512"), (EC, "ES256"), (ED, "EdDSA"),
            ((SECRET, SECRET), "HS256"), ((SECRET + OTHER,) * 2, "HS512"),
        ):  # fmt: skip
            reader = BearerToken(public, [algorithm])
            self.assertEqual(self.user(make(private, algorithm), reader=reader), "ada", algorithm)

    def test_places(self) -> None:
        reader = BearerToken(SECRET, field="jwt", user="uid")
        self.assertIsNone(reader.from_auth({"token": make(uid=7)}, NOW))
        self.assertEqual(reader.from_auth({"jwt": make(uid=7)}, NOW).user_id, "7")
        self.assertIsNone(reader.from_auth({"jwt": make()}, NOW))

    def test_rotation(self) -> None:
        reader = BearerToken([OTHER, SECRET])
        self.assertEqual(self.user(make(SECRET), reader=reader), "ada")
        self.assertEqual(self.user(make(OTHER), reader=reader), "ada")
        self.assertIsNone(self.user(make(SECRET), reader=BearerToken(OTHER)))

    def test_audience_and_issuer(self) -> None:
        reader = BearerToken(SECRET, audience="chat", issuer="sso")
        self.assertEqual(self.user(make(aud="chat", iss="sso"), reader=reader), "ada")
        for aud, iss in (("shop", "sso"), ("chat", "x"), (None, "sso"), ("chat", None)):
            self.assertIsNone(self.user(make(aud=aud, iss=iss), reader=reader), (aud, iss))
        self.assertIsNone(self.user(make(aud="chat")))

    def test_one_login(self) -> None:
        """However the signature is spelled, it is one login that can be revoked."""
        token = make()
        last = {"A": "B", "Q": "R", "g": "h", "w": "x"}.get(token[-1], token[-1])
        spellings = {token, token[:-1] + last, token + "="}
        ids = {
            credential.id
            for spelling in spellings
            if (credential := BearerToken(SECRET).from_auth({"token": spelling}, NOW))
        }
        self.assertEqual(len(ids), 1)


class TimeTests(TokenTestCase):
    def test_expiry(self) -> None:
        self.assertEqual(self.user(make(), NOW + 599), "ada")
        self.assertIsNone(self.user(make(), NOW + 600))
        self.assertEqual(self.user(make(), NOW + 609, BearerToken(SECRET, leeway=10)), "ada")

    def test_endless(self) -> None:
        """A token without an end is no good."""
        self.assertIsNone(self.user(make(exp=None)))

    def test_future(self) -> None:
        self.assertIsNone(self.user(make(iat=NOW + 1)))
        self.assertIsNone(self.user(make(nbf=NOW + 1)))
        self.assertEqual(self.user(make(iat=NOW + 9), reader=BearerToken(SECRET, leeway=10)), "ada")

    def test_max_age(self) -> None:
        """The age counts, whatever end it has; one whose age is not known is too old."""
        reader = BearerToken(SECRET, max_age=60)
        self.assertEqual(reader.from_auth({"token": make()}, NOW + 59).expires, NOW + 60)
        self.assertIsNone(self.user(make(), NOW + 60, reader))
        self.assertIsNone(self.user(make(iat=None), reader=reader))

    def test_without_a_beginning(self) -> None:
        """It counts as older than whatever revokes it."""
        self.assertEqual(BearerToken(SECRET).from_auth({"token": make(iat=None)}, NOW).since, 0)

    def test_no_times(self) -> None:
        """Text, truth, nothing, and numbers that are none."""
        for value in ("1800000000", True, [], {}, 1e300, -1e300, 10**400):
            for claim in ("exp", "iat", "nbf"):
                claims = {"sub": "ada", "exp": NOW + 600, claim: value}
                self.assertIsNone(self.user(by_hand({"alg": "HS256"}, claims)), (claim, value))
        for text in ("NaN", "Infinity", "-Infinity"):
            claims = {"sub": "ada", "exp": float(text)}
            self.assertIsNone(self.user(by_hand({"alg": "HS256"}, claims)), text)


class AttackTests(TokenTestCase):
    def test_forged(self) -> None:
        self.assertIsNone(self.user(make(OTHER)))

    def test_none(self) -> None:
        """ "none" is no algorithm, in whatever letters."""
        for name in ("none", "None", "NONE", "nOnE", "", None):
            signed = by_hand({"alg": name, "typ": "JWT"}, {"sub": "ada", "exp": NOW + 600})
            for token in (signed, signed.rpartition(".")[0] + ".", signed.rpartition(".")[0]):
                self.assertIsNone(self.user(token), name)
        self.assertRaises(SettingsError, BearerToken, SECRET, ["none"])
        self.assertRaises(SettingsError, BearerToken, SECRET, ["HS256", "none"])

    def test_another_algorithm(self) -> None:
        """What a token says of itself does not matter."""
        token = make(SECRET + OTHER, "HS512")
        self.assertIsNone(self.user(token, reader=BearerToken(SECRET + OTHER, ["HS256"])))
        self.assertIsNone(self.user(token, reader=BearerToken(SECRET + OTHER, ["HS384", "HS256"])))

    def test_public_key_as_a_secret(self) -> None:
        """Everybody has the public key, and could sign with it as with a secret."""
        token = by_hand({"alg": "HS256"}, {"sub": "ada", "exp": NOW + 600}, RSA[1])
        self.assertIsNone(self.user(token, reader=BearerToken(RSA[1], ["RS256"])))
        self.assertRaises(SettingsError, BearerToken, RSA[1], ["HS256"])
        self.assertRaises(SettingsError, BearerToken, RSA[1], ["RS256", "HS256"])

    def test_tampered(self) -> None:
        token = make()
        header, claims, signature = token.split(".")
        for wrong in (
            f"{header}.{encode_base64(b'{}')}.{signature}",
            f"{header}.{claims}.",
            f"{header}.{claims}",
            f"{header}.{claims}.{signature}.x",
            f"{claims}.{header}.{signature}",
            token[:-10],
            token[10:],
        ):
            self.assertIsNone(self.user(wrong), wrong)

    def test_truncated(self) -> None:
        token = make()
        for length in range(len(token)):
            self.assertIsNone(self.user(token[:length]), length)

    def test_nonsense(self) -> None:
        """Whatever a client may put there."""
        for token in (None, 1, True, [], {}, ["x"], "", "x", "..", "a.b.c", "é", "\ud800", "🙂"):
            self.assertIsNone(self.user(token), token)
        for header in ([], "x", 1, None, {"alg": []}, {"alg": {}}):
            self.assertIsNone(self.user(by_hand(header, {"sub": "ada", "exp": NOW + 600})), header)
        for claims in ([], "x", 1, None):
            self.assertIsNone(self.user(by_hand({"alg": "HS256"}, claims)), claims)
        deep = encode_base64(b"[" * 5000)
        self.assertIsNone(self.user(f"{deep}.{deep}.x"))

    def test_oversized(self) -> None:
        self.assertIsNone(self.user(make(more="x" * 8192)))

    def test_critical(self) -> None:
        """A header that must be understood is not."""
        claims = {"sub": "ada", "exp": NOW + 600}
        self.assertIsNone(self.user(by_hand({"alg": "HS256", "crit": ["x"], "x": 1}, claims)))
        self.assertEqual(self.user(by_hand({"alg": "HS256"}, claims)), "ada")

    def test_no_user(self) -> None:
        for sub in (None, "", True, 1.5, [], {}):
            claims = {"sub": sub, "exp": NOW + 600}
            self.assertIsNone(self.user(by_hand({"alg": "HS256"}, claims)), sub)


class MistakeTests(SynchronousTestCase):
    def test_keys(self) -> None:
        """What does not go together is said at the start, and no key is quoted."""
        for key, algorithms in (
            ("hunter2", ["HS256"]), (SECRET, ["RS256"]), (SECRET, []), ([], ["HS256"]),
            ([SECRET, "hunter2"], ["HS256"]), (SECRET, ["HS255"]), (SECRET, ["HS512"]),
            (None, ["HS256"]), ([b"bytes"], ["HS256"]), (EC[1], ["RS256"]),
        ):  # fmt: skip
            error = self.assertRaises(SettingsError, BearerToken, key, algorithms)
            for part in ("hunter2", "horse", "BEGIN"):
                self.assertNotIn(part, str(error))

    def test_algorithm_that_is_no_list(self) -> None:
        error = self.assertRaises(SettingsError, BearerToken, SECRET, "HS256")
        self.assertIn("algorithms as a list", str(error))

    def test_others(self) -> None:
        """An age that is none would be found out when the first client comes, or never."""
        for options in (
            {"max_age": -1}, {"max_age": "1"}, {"leeway": -1}, {"leeway": True}, {"leeway": None},
            {"field": 3}, {"user": None},
        ):  # fmt: skip
            self.assertRaises(SettingsError, BearerToken, SECRET, **options)

    def test_nothing_is_shown(self) -> None:
        self.assertNotIn("horse", repr(BearerToken(SECRET)))
