"""A browser without a window: it asks for pages, and keeps its cookies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol
from urllib.parse import urlencode

from twisted.web.server import Site

from mojo.testing.answer import Answer
from mojo.testing.http import Response
from mojo.testing.wire import ADDRESS, Wire
from mojo.web.visitor import CSRF_FIELD

_FORM = "application/x-www-form-urlencoded"


class Host(Protocol):
    """What has a site: a `TestServer`, a `MojoService`."""

    @property
    def site(self) -> Site:
        """The Site."""


class Browser:
    """
    Someone with a jar of cookies.

    Args:
        host: where the pages are.
        cookies: what is in the jar at first.
        address: the visitor's address.
        secure: whether by https.

    Attributes:
        host: where the pages are.
        jar: the cookies by name, as they are on the wire.
        wire: the connection of the request that was sent last.
    """

    wire: Wire

    def __init__(
        self,
        host: Host,
        cookies: Mapping[str, str] | None = None,
        *,
        address: str = ADDRESS,
        secure: bool = False,
    ) -> None:
        self.host = host
        self.jar = dict(cookies or {})
        self.address = address
        self.secure = secure

    def get(self, uri: str, *, headers: Mapping[str, str] | None = None) -> Response:
        """Ask for a page, which must come at once; redirects are not followed."""
        return self.request("GET", uri, headers=headers)

    def post(
        self,
        uri: str,
        fields: Mapping[str, str] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """
        Send a form's fields, and nothing that was not given: see `submit`.

        Args:
            uri: path and query.
            fields: names and values.
            headers: more request headers.
        """
        body = urlencode(fields or {}).encode("ascii")
        return self.request(
            "POST", uri, headers={"Content-Type": _FORM, **(headers or {})}, body=body
        )

    def submit(self, uri: str, form_at: str | None = None, /, **fields: str) -> Response:
        """
        Get a page, fill in its form and send it, with the token that is in the form.

        Args:
            uri: where the form is sent.
            form_at: where the page with the form is; by default at the same place.
            fields: what is filled in.
        Raises:
            AssertionError: the page has no form with a token in it.
        """
        token = self.get(form_at or uri).csrf_token
        return self.post(uri, {**fields, CSRF_FIELD: token})

    def request(
        self,
        method: str,
        uri: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Response:
        """
        Send any request, and give the answer, which must be there at once.

        Raises:
            AssertionError: it is not.
        """
        return self.ask(method, uri, headers=headers, body=body).value

    def ask(
        self,
        method: str,
        uri: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer[Response]:
        """Send any request, whose answer may come later."""
        sent = {"Cookie": self.cookie_header} if self.jar else {}
        wire = self.wire = Wire(self.host.site, self.address, self.secure)
        wire.ask(method, uri, headers={**sent, **(headers or {})}, body=body)

        def look() -> list[Response]:
            response = wire.answer()
            if response is None:
                return []
            wire.hang_up()
            self._keep(response)
            return [response]

        answer = Answer(look, f"{method} {uri}")
        # The cookies of an answer that is there are kept, whether or not it is looked at.
        _ = answer.answered
        return answer

    @property
    def cookie_header(self) -> str:
        """The jar, as a request carries it."""
        return "; ".join(f"{name}={value}" for name, value in self.jar.items())

    def _keep(self, response: Response) -> None:
        for header in response.headers.get("set-cookie", []):
            name, _, rest = header.partition("=")
            value, _, attributes = rest.partition(";")
            if "Max-Age=0" in attributes:
                self.jar.pop(name, None)
            else:
                self.jar[name] = value
