"""An app for those who are logged in, in which some may do more."""

from mojo import MojoSocketHandler, event, login_required, require


@login_required
class SocketConnectionHandler(MojoSocketHandler):
    @event
    def me(self):
        return self.loaded_user["name"]

    @event
    @require("admin")
    async def close_up(self):
        return "closed"

    def on_logout(self, reason):
        self.emit("logged out", reason)
