"""
Secrets that are not in ``settings.py``: from the environment, and from files.

A file of secrets has one in each line, the newest first; ``mojo secret`` makes and rotates
it.  What is wrong is said by the name of the variable or file, and never by what is in it.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path
from stat import S_IMODE
from typing import overload

from mojo.errors import ProjectError, SettingsError

_HEADER = "# Secrets that seal cookies, the newest first; see `mojo secret --help`.\n"
#: Earlier secrets that a rotation keeps.
KEEP = 2


class _Required:
    """The default of a variable that must be set."""


@overload
def env(name: str) -> str: ...
@overload
def env(name: str, default: str) -> str: ...
def env(name: str, default: str | type[_Required] = _Required) -> str:
    """
    Give a variable of the environment, as the value of a setting.

    In ``settings.py``: ``COOKIE_SECRET = env("COOKIE_SECRET")``.

    Args:
        name: the variable.
        default: given where it is not set.
    Raises:
        SettingsError: it is not set, and has no default; or it is empty.
    """
    value = os.environ.get(name)
    if value is None and isinstance(default, str):
        return default
    if not value:
        found = "is not set" if value is None else "is empty"
        raise SettingsError([f"the environment variable {name} {found}"])
    return value


def new_secret() -> str:
    """Make a secret: 384 random bits."""
    return secrets.token_urlsafe(48)


def read_secrets(path: Path) -> list[str]:
    """
    Read a file of secrets, the newest first.

    Raises:
        SettingsError: there is none, or nothing in it.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8"
        raise SettingsError([f"COOKIE_SECRET_FILE: {path}: {why}"]) from None
    found = [line for line in map(str.strip, lines) if line and not line.startswith("#")]
    if not found:
        raise SettingsError([f"COOKIE_SECRET_FILE: {path} has no secret in it"])
    return found


def make_secret_file(path: Path) -> None:
    """
    Make a file with a new secret, which its owner alone can read.

    Raises:
        ProjectError: there is a file already.
    """
    if path.exists():
        raise ProjectError(f"{path} is there already: --rotate puts a new secret into it")
    _write(path, [new_secret()])


def rotate_secret_file(path: Path, keep: int = KEEP) -> None:
    """
    Put a new secret into a file, before those that are there.

    Who may read it stays as it is.

    Args:
        path: the file.
        keep: earlier ones that stay, with which cookies are still opened.
    Raises:
        SettingsError: see `read_secrets`.
    """
    # What a link leads to, and not a file in the link's place.
    path = path.resolve()
    former = read_secrets(path)
    _write(path, [new_secret(), *former[:keep]], path.stat())


def _write(path: Path, lines: list[str], like: os.stat_result | None = None) -> None:
    # Beside it and then in its place: whoever reads it finds the old one or the new one.
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            if like is not None:
                # The service may be somebody else, who could not read a file of ours alone.
                with suppress(PermissionError):
                    os.fchown(descriptor, like.st_uid, like.st_gid)
                os.fchmod(descriptor, S_IMODE(like.st_mode))
            file.write(_HEADER + "".join(f"{line}\n" for line in lines))
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
