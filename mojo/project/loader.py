"""
Loading a project from disk: its settings, its apps, their modules.

A project's modules are imported as its author wrote them: the project's folder is put
on ``sys.path``, and ``Apps.Chat.views`` is a module like any other.  Whatever is wrong with
them is one `ProjectError` that names the file, with the exception as its cause.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from twisted.logger import Logger

from mojo.errors import EventTableError, ProjectError
from mojo.project.app import App
from mojo.sessions.signer import weakness_of
from mojo.settings import Settings, read_settings
from mojo.socketio.handler import MojoSocketHandler

_log = Logger()

_APPS = "Apps"
_HANDLER = "SocketConnectionHandler"


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """
    A project.

    Attributes:
        path: its folder.
        name: what the banner and the log call it.
        settings: its settings.
        apps: its apps in order; the project's own handler and pages, if it has any,
            are an app without a name.
    """

    path: Path
    name: str
    settings: Settings
    apps: tuple[App, ...]


def load_settings(
    path: str | Path, overrides: Iterable[tuple[str, Any]] = ()
) -> tuple[Path, Settings]:
    """
    Load a project's settings, and nothing else of it; give its folder, too.

    Args:
        path: its folder, which holds ``settings.py``.
        overrides: settings of the command line; see `mojo.settings.parse_override`.
    Raises:
        ProjectError: the folder is no project, or its settings cannot be imported.
        SettingsError: the settings are wrong.
    """
    folder = Path(path).resolve()
    if not folder.is_dir():
        raise ProjectError(f"{folder}: no such folder")
    source = folder / "settings.py"
    if not source.is_file():
        raise ProjectError(f"{source}: no such file (a project has a settings.py)")
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    module = _import(folder, "settings")
    settings = read_settings(vars(module), overrides, source=str(source), weakness_of=weakness_of)
    return folder, settings


def load_project(path: str | Path, overrides: Iterable[tuple[str, Any]] = ()) -> Project:
    """
    Load a project.

    Args:
        path: its folder, which holds ``settings.py``.
        overrides: settings of the command line; see `mojo.settings.parse_override`.
    Raises:
        ProjectError: the folder is no project, or a module cannot be imported.
        SettingsError: the settings are wrong.
    """
    folder, settings = load_settings(path, overrides)
    names = _app_names(folder, settings)
    own = _load_app(folder, folder, "", "")
    apps = [_load_app(folder, folder / _APPS / name, f"{_APPS}.{name}.", name) for name in names]
    has_own = own.handler is not None or own.urlpatterns
    return Project(
        path=folder,
        name=settings.project_name or folder.name,
        settings=settings,
        apps=((own,) if has_own else ()) + tuple(apps),
    )


def _app_names(folder: Path, settings: Settings) -> list[str]:
    parent = folder / _APPS
    folders = sorted(
        entry
        for entry in (parent.iterdir() if parent.is_dir() else ())
        if entry.is_dir() and not entry.name.startswith(("_", "."))
    )
    if settings.installed_apps is None:
        apps = [entry for entry in folders if entry.name.isidentifier() or _looks_like_app(entry)]
        for app in apps:
            _check_app_name(app)
        return [app.name for app in apps]
    for name in settings.installed_apps:
        problem = None
        if parent / name not in folders:
            problem = f", but there is no folder {parent / name}"
        elif settings.installed_apps.count(name) > 1:
            problem = " twice"
        if problem is not None:
            raise ProjectError(f"{folder / 'settings.py'}: INSTALLED_APPS names {name!r}{problem}")
        _check_app_name(parent / name)
    return list(settings.installed_apps)


def _looks_like_app(folder: Path) -> bool:
    return any(_file_of(folder, name).is_file() for name in ("socket_handlers", "urls"))


def _check_app_name(folder: Path) -> None:
    if not folder.name.isidentifier():
        raise ProjectError(
            f"{folder}: {folder.name!r} cannot be an app's name: Python cannot import it"
        )


def _load_app(project: Path, folder: Path, prefix: str, name: str) -> App:
    handlers = _import_if_there(project, folder, prefix, "socket_handlers")
    urls = _import_if_there(project, folder, prefix, "urls")
    templates = folder / "templates"
    return App(
        name=name,
        handler=None if handlers is None else _handler_of(handlers),
        urlpatterns=() if urls is None else _urlpatterns_of(urls),
        templates=templates if name and templates.is_dir() else None,
        source=folder,
    )


def _handler_of(module: ModuleType) -> type[MojoSocketHandler]:
    handler = getattr(module, _HANDLER, None)
    if isinstance(handler, type) and issubclass(handler, MojoSocketHandler):
        return handler
    found = "has none" if handler is None else "that is something else"
    raise ProjectError(
        f"{module.__file__}: needs a class {_HANDLER}(MojoSocketHandler), but {found}"
    )


def _urlpatterns_of(module: ModuleType) -> tuple[Any, ...]:
    patterns = getattr(module, "urlpatterns", None)
    if isinstance(patterns, list | tuple):
        return tuple(patterns)
    raise ProjectError(f"{module.__file__}: needs a list urlpatterns")


def _import_if_there(project: Path, folder: Path, prefix: str, name: str) -> ModuleType | None:
    return _import(project, prefix + name) if _file_of(folder, name).is_file() else None


def _file_of(folder: Path, name: str) -> Path:
    """Give the file of a module, or of a package, which a folder of its name is."""
    package = folder / name / "__init__.py"
    return package if package.is_file() else folder / f"{name}.py"


def _import(project: Path, name: str) -> ModuleType:
    """
    Import a module of a project.

    Another project of this process may have taken the name before.  A module at the top
    of a project (``settings``, ``urls``) is then loaded beside it, under a name of its
    own; a module of an app is not, since the app's other modules import it by its name.
    """
    *packages, last = name.split(".")
    expected = _file_of(project.joinpath(*packages), last)
    try:
        module = importlib.import_module(name)
        if not _is_file(module, expected) and "." not in name:
            module = _import_privately(name, expected)
    except EventTableError as exc:
        raise ProjectError(f"{expected}: {exc}") from exc
    except ModuleNotFoundError as exc:
        if exc.name is None or not f"{name}.".startswith(f"{exc.name}."):
            raise ProjectError(f"{_place_of(exc, project, expected)}: {_describe(exc)}") from exc
        # The file is there: what Python looked at is the package of another project.
        raise ProjectError(
            f"{expected}: cannot be imported as {name!r}, since another project's {_APPS!r} is in "
            f"the way: without {_APPS}/__init__.py two projects in one process find theirs"
        ) from exc
    except Exception as exc:
        raise ProjectError(f"{_place_of(exc, project, expected)}: {_describe(exc)}") from exc
    if not _is_file(module, expected):
        raise ProjectError(
            f"{expected}: a module named {name!r} was imported from {module.__file__} before; "
            "two projects in one process need apps of different names"
        )
    return module


def _is_file(module: ModuleType, path: Path) -> bool:
    # The same file, not the same name: either may be a link.
    return module.__file__ is not None and Path(module.__file__).samefile(path)


def _import_privately(name: str, path: Path) -> ModuleType:
    _log.warn(
        "{path} is loaded beside {other}: 'import {name}' in an app gives the latter",
        path=str(path),
        other=sys.modules[name].__file__,
        name=name,
    )
    private = f"{name} of {path.parent}"
    if private not in sys.modules:
        spec = importlib.util.spec_from_file_location(private, path)
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules[private] = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[private]
            raise
    return sys.modules[private]


def _place_of(exc: Exception, project: Path, expected: Path) -> str:
    """Say where in the project an import failed: ``file:line`` of the innermost frame."""
    if isinstance(exc, SyntaxError) and exc.filename:
        return f"{exc.filename}:{exc.lineno}"
    for frame in reversed(traceback.extract_tb(exc.__traceback__)):
        if Path(frame.filename).is_relative_to(project):
            return f"{frame.filename}:{frame.lineno}"
    return str(expected)


def _describe(exc: Exception) -> str:
    message = exc.msg if isinstance(exc, SyntaxError) else str(exc)
    return f"{type(exc).__name__}: {message}" if message else type(exc).__name__
