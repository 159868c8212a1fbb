"""The users of some tests: whoever has a name, of whom one has a role."""

from twisted.internet import reactor
from twisted.internet.task import deferLater


async def load_user(user_id):
    await deferLater(reactor, 0.01)
    return {"name": user_id.capitalize(), "roles": ["admin"] if user_id == "ada" else []}
