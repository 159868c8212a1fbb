"""Who has an account.  A user's id, in cookies and everywhere, is the account's name."""

import re
import sqlite3
from dataclasses import dataclass, field

from Apps.Chat.database import DATABASE

from mojo.auth import hash_password

NAME = re.compile(r"[\w-]{2,20}")


class NameTaken(Exception):
    """Somebody else has the name already."""


@dataclass(frozen=True)
class Account:
    name: str
    password: str = field(repr=False)  # its hash


async def find(name):
    """Give an account, however its name's letters are typed; ``None`` if there is none."""
    rows = await DATABASE.query(
        "SELECT name, password FROM accounts WHERE folded = ?", name.casefold()
    )
    return Account(*rows[0]) if rows else None


async def sign_up(name, password):
    """
    Make an account.

    Raises:
        NameTaken: there is one of that name.
        ValueError: the password is too short or too long.
    """
    hashed = await hash_password(password)
    try:
        await DATABASE.query("INSERT INTO accounts VALUES (?, ?, ?)", name, name.casefold(), hashed)
    except sqlite3.IntegrityError:
        raise NameTaken(name) from None


async def set_password(name, password):
    """Keep another password; raises ``ValueError`` as `sign_up` does."""
    hashed = await hash_password(password)
    await DATABASE.query("UPDATE accounts SET password = ? WHERE name = ?", hashed, name)
