"""What the settings of some tests name."""

import secrets

from twisted.internet import reactor
from twisted.internet.task import deferLater

from mojo import ConnectionRefused


async def allow(handshake):
    await deferLater(reactor, 0.01)
    if handshake.get_query("banned"):
        raise ConnectionRefused("You are banned")


def make_id(handshake):
    return f"here-{secrets.token_urlsafe(15)}"


def first_headers(headers, handshake):
    headers["X-Server"] = "here"


def refused(error, facts):
    print(f"refused: {error.code.name} from {facts.address}")
