"""The chat's connections: one object for each tab."""

from Apps.Chat import rooms, talk

from mojo import EventRefused, MojoSocketHandler, event, login_required


@login_required
class SocketConnectionHandler(MojoSocketHandler):
    async def on_open(self, request):
        if not request.recovered:  # else it is in its rooms already
            self.join(*await rooms.public_rooms_of(self.user_id))
            self.emit("unread", await rooms.unread(self.user_id))
            self.emit("people", sorted(self.mojo.online_users | {self.user_id}))

    def on_logout(self, reason):
        """Tell the tab why; when this returns it is disconnected, for the class is guarded."""
        self.emit("logged out", reason)

    def on_error(self, error, event):
        """Answer also then: without an answer the client would send the same for ever."""
        return {"error": "Something went wrong here. Please try again later."}

    @event(idempotent=True)
    async def say(self, key, text, message_id):
        """Say something; the client sends it until it has the answer, and it is said once."""
        try:
            return await talk.say(self.mojo, self.user_id, key, text)
        except talk.Refused as refusal:
            return {"error": str(refusal)}

    @event
    async def since(self, key, number):
        """Give what was said after a message, to a tab that has been away for long."""
        await self._check(key, number)
        return await rooms.since(key, number)

    @event
    async def seen(self, key, number):
        """Note what was read, and tell the user's other tabs and devices."""
        await self._check(key, number)
        await rooms.seen(self.user_id, key, number)
        self.mojo.user(self.user_id).emit("seen", key)

    @event
    async def typing(self, key):
        await self._check(key)
        for those in talk.hearers(self.mojo, key):
            those.except_(self.id).volatile.emit("typing", key, self.user_id)

    async def _check(self, key, number=0):
        """Refuse what only a client that is not ours would send."""
        if type(number) is not int or not 0 <= number < 2**53:
            raise EventRefused("This is no message's number.")
        if not await rooms.is_member(self.user_id, key):
            raise EventRefused("You are not in that room.")
