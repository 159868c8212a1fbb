"""What everybody hears: who comes and goes, and what is said, on a page or over a connection."""

from Apps.Chat import accounts, rooms


class Refused(Exception):
    """What was to be said cannot be; the words are for whoever wanted to."""


def hearers(mojo, key):
    """Give everyone who hears what happens in a room: of two people all their devices."""
    if people := rooms.people_of(key):
        return [mojo.user(name) for name in people]
    return [mojo.app("Chat").to(key)]


async def say(mojo, author, key, text):
    """
    Say something in a room; give the message as everyone there gets it.

    Raises:
        Refused: the words in it say why.
    """
    text = text.strip() if isinstance(text, str) else ""
    # A browser cuts at its limit, and be it in the middle of an emoji.
    text = text.encode("utf-8", "replace").decode("utf-8")
    if not text or len(text) > rooms.LONGEST_TEXT:
        raise Refused(f"A message has 1 to {rooms.LONGEST_TEXT:,} characters.")
    if not await rooms.is_member(author, key):
        raise Refused("You are not in that room.")
    for name in rooms.people_of(key):
        if await accounts.find(name) is None:
            raise Refused(f"There is nobody called {name}.")
    message = await rooms.say(key, author, text)
    for those in hearers(mojo, key):
        those.emit("said", message)
    return message


def tell_online(name, mojo):
    """Tell everybody who has come."""
    mojo.emit("online", name, app="Chat")


def tell_offline(name, mojo):
    """Tell everybody who has gone."""
    mojo.emit("offline", name, app="Chat")
