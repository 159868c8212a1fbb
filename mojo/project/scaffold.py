"""
Making a project, and apps in it: what there is to fill in, and no more.

The files come from ``skeleton`` beside this module; ``$name`` and its like are filled in, in
their text and in their names.
"""

from __future__ import annotations

import re
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template

from mojo.errors import ProjectError
from mojo.secret_files import make_secret_file

_SUFFIX = "-tpl"
# It is put between quotes in settings.py.
_NAME = re.compile(r"[\w .-]+")


def start_project(folder: Path) -> list[Path]:
    """
    Make a project.

    Args:
        folder: where; its last part is the project's name.  It must not exist, or be
            empty.
    Returns:
        The files that were made.
    Raises:
        ProjectError: there is something already, or the name cannot be one.
    """
    folder = folder.resolve()
    if not _NAME.fullmatch(folder.name):
        raise ProjectError(
            f"{folder.name!r} cannot be a project's name: letters, digits, spaces, dots and dashes"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ProjectError(f"{folder} is there already, and not empty")
    (folder / "Apps").mkdir(parents=True)
    (folder / "templates").mkdir()
    secret = folder / "cookie_secret.txt"
    make_secret_file(secret)
    return sorted([secret, *_copy("project", folder, name=folder.name, dot=".")])


def start_app(project: Path, name: str) -> list[Path]:
    """
    Make an app in a project.

    Args:
        project: the project's folder.
        name: the app's name, which Python must be able to import: ``"Chat"``.
    Returns:
        The files that were made.
    Raises:
        ProjectError: the folder is no project, the name cannot be one, or it is taken.
    """
    project = project.resolve()
    if not (project / "settings.py").is_file():
        raise ProjectError(f"{project} is no project: it has no settings.py")
    if not name.isidentifier() or not name.isascii() or name.startswith("_"):
        raise ProjectError(f"{name!r} cannot be an app's name: letters and digits, as 'Chat'")
    apps = project / "Apps"
    folder = apps / name
    if folder.exists():
        raise ProjectError(f"{folder} is there already")
    others = [entry for entry in apps.iterdir() if entry.is_dir()] if apps.is_dir() else []
    # The first app has the project's front page; the others have one each below it.
    url = f"/{name.lower()}" if others else "/"
    return _copy("app", folder, name=name, module=name.lower(), url=url)


def _copy(kind: str, folder: Path, **names: str) -> list[Path]:
    made: list[Path] = []

    def copy(source: Traversable, target: Path) -> None:
        if source.is_dir():
            target.mkdir(parents=True, exist_ok=True)
            for entry in source.iterdir():
                name = Template(entry.name.removesuffix(_SUFFIX)).substitute(names)
                copy(entry, target / name)
        else:
            text = Template(source.read_text(encoding="utf-8")).substitute(names)
            target.write_text(text, encoding="utf-8")
            made.append(target)

    copy(files("mojo.project") / "skeleton" / kind, folder)
    return sorted(made)
