"""
Templates: Jinja2, everything escaped, the app's folder before the project's.

Jinja2 is imported when the first page is rendered: a project that renders none does not
wait for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment


class Templates:
    """
    The templates of a project.

    Args:
        own: the project's folder of templates.
        by_app: the apps' folders by the apps' names.
        reload: whether a changed file is read again, as while developing.
    """

    def __init__(self, own: Path | None, by_app: Mapping[str, Path], *, reload: bool) -> None:
        self._own = own
        self._by_app = dict(by_app)
        self._reload = reload
        self._environments: dict[str, Environment] = {}

    def render(self, app: str, name: str, context: Mapping[str, Any]) -> str:
        """
        Render a template of an app, or of the project if the app has none of that name.

        Raises:
            jinja2.TemplateError: there is none, or it is wrong.
        """
        environment = self._environments.get(app)
        if environment is None:
            environment = self._environments[app] = self._environment(app)
        return environment.get_template(name).render(context)

    def _environment(self, app: str) -> Environment:
        from jinja2 import (  # noqa: PLC0415
            Environment,
            FileSystemLoader,
            StrictUndefined,
        )

        folders = [folder for folder in (self._by_app.get(app), self._own) if folder is not None]
        return Environment(
            loader=FileSystemLoader(folders),
            # Every template is escaped, also one that is not called .html.
            autoescape=True,
            auto_reload=self._reload,
            undefined=StrictUndefined,
        )
