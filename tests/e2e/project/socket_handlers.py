"""The root namespace of the shared path."""

from mojo import MojoSocketHandler


class SocketConnectionHandler(MojoSocketHandler):
    def on_open(self, request):
        self.emit("root", request.auth)
