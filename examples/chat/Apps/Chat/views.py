"""The chat's pages."""

from Apps.Chat.rooms import USER_NAME

from mojo import (
    LOGGED_IN_SESSIONS,
    MojoAuthMixin,
    MojoRequestHandler,
    MojoSessionMixin,
    login_required,
)


class Page(MojoSessionMixin, MojoAuthMixin, MojoRequestHandler):
    """What every page of the chat has."""


class ChatHandler(Page):
    @login_required
    def get(self):
        self.render("chat.html")


class LoginHandler(Page):
    def get(self):
        self.render("login.html", error=None, name="", online=sorted(LOGGED_IN_SESSIONS))

    def post(self):
        """Believe any name: who you are is not what this example is about."""
        name = self.get_argument("name", "")
        if not USER_NAME.fullmatch(name):
            self.set_status(400)
            self.render(
                "login.html",
                error="A name has 1 to 20 letters, digits, spaces or dashes.",
                name=name,
                online=sorted(LOGGED_IN_SESSIONS),
            )
            return
        self.login(name)
        # A page speaks to everyone who is connected.
        self.mojo.emit("notice", f"{name} has logged in", app="Chat")
        self.redirect("/")


class LogoutHandler(Page):
    def post(self):
        self.logout()
        self.redirect("/login")
