"""The users of some tests: whoever has a name, of whom one has a role."""

from twisted.internet import reactor
from twisted.internet.task import deferLater


async def load_user(user_id):
    await deferLater(reactor, 0.01)
    return {"name": user_id.capitalize(), "roles": ["admin"] if user_id == "ada" else []}


def user_online(user_id, service):
    service.emit("online", user_id, app="Lounge")


async def user_offline(user_id, service):
    await deferLater(reactor, 0.01)
    service.emit("offline", user_id, app="Lounge")
