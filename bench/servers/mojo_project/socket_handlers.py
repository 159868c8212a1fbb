"""What the load generator talks to."""

from mojo import MojoSocketHandler, event


class SocketConnectionHandler(MojoSocketHandler):
    """The same five events as in the other servers."""

    @event
    def echo(self, text):
        """Acknowledge with what came."""
        return text

    @event("bin")
    def blob(self, data):
        """Acknowledge with the bytes that came."""
        return data

    @event("all")
    def everyone(self, text):
        """Send to everyone, the sender too."""
        self.namespace.emit("all", text)

    @event("join")
    def enter(self, room):
        """Enter a room."""
        self.join(room)
        return "ok"

    @event("room")
    def tell(self, room, text):
        """Send to a room, the sender too."""
        self.namespace.to(room).emit("room", text)
