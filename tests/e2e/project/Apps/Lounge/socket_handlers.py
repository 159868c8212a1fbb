"""An app with a presence list; it hears of users from the hooks in ``accounts.py``."""

from mojo import MojoSocketHandler, event


class SocketConnectionHandler(MojoSocketHandler):
    @event
    def enter(self, meta):
        self.presence("sofa").track(meta)

    @event
    def change(self, meta):
        self.presence("sofa").update(meta)

    @event
    def go(self):
        self.leave("sofa")

    @event
    def user(self, user_id):
        user = self.mojo.user(user_id)
        return [user.online, len(user.sessions), len(user.connections), user.last_seen]
