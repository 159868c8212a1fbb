"""
Who somebody is: passwords and tries at them, and logins that others have given out.

What an app writer needs of it comes from here.  The names are loaded when they are asked
for: who reads no tokens need not have what reads them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mojo.errors import SettingsError

if TYPE_CHECKING:
    from mojo.auth.cookies import DjangoSession as DjangoSession
    from mojo.auth.cookies import FlaskSession as FlaskSession
    from mojo.auth.cookies import ItsDangerousCookie as ItsDangerousCookie
    from mojo.auth.cookies import TornadoCookie as TornadoCookie
    from mojo.auth.passwords import check_password as check_password
    from mojo.auth.passwords import hash_password as hash_password
    from mojo.auth.passwords import needs_rehash as needs_rehash
    from mojo.auth.tokens import BearerToken as BearerToken
    from mojo.auth.tries import LoginTries as LoginTries

_HOMES = {
    "BearerToken": "mojo.auth.tokens",
    "DjangoSession": "mojo.auth.cookies",
    "FlaskSession": "mojo.auth.cookies",
    "ItsDangerousCookie": "mojo.auth.cookies",
    "LoginTries": "mojo.auth.tries",
    "TornadoCookie": "mojo.auth.cookies",
    "check_password": "mojo.auth.passwords",
    "hash_password": "mojo.auth.passwords",
    "needs_rehash": "mojo.auth.passwords",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'mojo.auth' has no attribute {name!r}")
    try:
        return getattr(import_module(home), name)
    except ModuleNotFoundError as exc:
        if exc.name != "jwt":
            raise
        raise SettingsError([f"{name} takes the package PyJWT: pip install 'mojo[jwt]'"]) from exc
