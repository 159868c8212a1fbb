"""
``mojo``: what is done to a project before it runs.

``mojo startproject`` and ``mojo startapp`` make one; ``mojo client`` fetches the official
browser client with npm; ``mojo secret`` makes and
rotates the secret of the cookies.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from mojo.errors import LocalError, ProjectError
from mojo.project.scaffold import start_app, start_project
from mojo.secret_files import KEEP, make_secret_file, new_secret, rotate_secret_file
from mojo.web.client_files import DIST

_CLIENT = "socket.io-client"
_CLIENT_VERSIONS = "^4.8.0"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; exit with 1 and one line if it cannot be done."""
    parsed = _parser().parse_args(arguments)
    try:
        parsed.run(parsed)
    except (LocalError, OSError) as exc:
        raise SystemExit(f"mojo {parsed.command}: {exc}") from exc


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mojo", description="Prepare a Mojo project.")
    commands = parser.add_subparsers(dest="command", required=True)
    project = commands.add_parser("startproject", help="make a project")
    project.add_argument("folder", help="where; its last part is the project's name")
    project.set_defaults(run=lambda parsed: print_made(start_project(Path(parsed.folder))))
    app = commands.add_parser("startapp", help="make an app in a project")
    app.add_argument("name", help="the app's name, such as Chat")
    app.add_argument("--project", default=".", help="the project's folder")
    app.set_defaults(run=lambda parsed: print_made(start_app(Path(parsed.project), parsed.name)))
    client = commands.add_parser(
        "client", help=f"fetch the browser's {_CLIENT} with npm into the project's node_modules"
    )
    client.add_argument("--project", default=".", help="the project's folder")
    client.add_argument(
        "--version", default=_CLIENT_VERSIONS, help="which version npm is asked for"
    )
    client.set_defaults(run=lambda parsed: fetch_client(Path(parsed.project), parsed.version))
    secret = commands.add_parser(
        "secret",
        help="make a secret for the cookies: print it, or put it into a file",
        description="Print a COOKIE_SECRET; or make a COOKIE_SECRET_FILE, or put a new secret "
        "into one.  Cookies of the former secret stay good for as long as that is in the file.",
    )
    secret.add_argument("--file", type=Path, help="the file to make")
    secret.add_argument(
        "--rotate", action="store_true", help="put a new secret first in the file that is there"
    )
    secret.add_argument(
        "--keep", type=int, default=KEEP, help="how many former secrets stay (default: %(default)s)"
    )
    secret.set_defaults(run=lambda parsed: do_secret(parsed.file, parsed.rotate, parsed.keep))
    return parser


def print_made(paths: Iterable[Path]) -> None:
    """Print the files that were made."""
    for path in paths:
        sys.stdout.write(f"{path}\n")


def do_secret(path: Path | None, rotate: bool, keep: int) -> None:
    """
    Print a secret for ``COOKIE_SECRET``, or put one into a ``COOKIE_SECRET_FILE``.

    Args:
        path: the file, or ``None`` to print.
        rotate: whether the file is there, and its secrets stay behind the new one.
        keep: how many of them stay.
    Raises:
        ProjectError: there is a file already, or none is named, or ``keep`` is below 0.
        SettingsError: there is none to rotate.
    """
    if keep < 0:
        raise ProjectError("--keep takes a number of secrets, 0 or more")
    if path is None:
        if rotate:
            raise ProjectError("--rotate takes the file too: --file cookie_secret.txt")
        sys.stdout.write(new_secret() + "\n")
    elif rotate:
        rotate_secret_file(path, keep)
        sys.stdout.write(f"{path} has a new secret; it counts when the server is started anew\n")
    else:
        make_secret_file(path)
        sys.stdout.write(f"{path}\n")


def fetch_client(project: Path, version: str) -> None:
    """
    Fetch the browser's client into a project.

    Args:
        project: the project's folder.
        version: as npm understands it: ``"^4.8.0"``, ``"4.8.1"``.
    Raises:
        ProjectError: the folder is no project, there is no npm, or npm failed.
    """
    folder = project.resolve()
    if not (folder / "settings.py").is_file():
        raise ProjectError(f"{folder} is no project: it has no settings.py")
    environment = dict(os.environ)
    # npm may have come by pip, beside this Python, and be on nobody's PATH.
    own = str(Path(sys.executable).parent)
    environment["PATH"] = os.pathsep.join([own, environment.get("PATH", os.defpath)])
    npm = shutil.which("npm", path=environment["PATH"])
    if npm is None:
        raise ProjectError(
            "there is no npm: install Node.js, or Mojo's extra 'demo', which brings it by pip"
        )
    done = subprocess.run(  # noqa: S603
        [
            npm, "install", "--prefix", str(folder), "--no-save", "--no-package-lock",
            "--no-audit", "--no-fund", "--ignore-scripts", f"{_CLIENT}@{version}",
        ],
        cwd=folder,
        env=environment,
        check=False,
    )  # fmt: skip
    if done.returncode:
        raise ProjectError(f"npm failed with exit status {done.returncode}")
    if not (folder / DIST / "socket.io.js").is_file():
        raise ProjectError(f"npm installed {_CLIENT}, but there is no {folder / DIST}")
    sys.stdout.write(f"The client is in {folder / DIST}\n")
