"""Pages that broadcast, and a resource that knows nothing of Mojo's classes."""

from twisted.web.resource import Resource

from mojo import (
    CURRENT_SESSIONS,
    LOGGED_IN_SESSIONS,
    MojoAuthMixin,
    MojoRequestHandler,
    MojoSessionMixin,
)


class Page(MojoSessionMixin, MojoAuthMixin, MojoRequestHandler):
    csrf_protected = False


class Hello(Page):
    def get(self):
        for session in CURRENT_SESSIONS.values():
            session.emit("joinedStatus", {"data": f"{self.session_id} has joined the chat"})
        self.render("hello.html")


class Who(Page):
    def get(self):
        self.write(
            {
                "me": self.session_id,
                "sessions": {key: len(v.connections) for key, v in CURRENT_SESSIONS.items()},
                "users": {key: len(v.connections) for key, v in LOGGED_IN_SESSIONS.items()},
            }
        )


class Login(Page):
    def post(self):
        self.login(self.get_argument("user"))
        self.write("in")


class Logout(Page):
    def post(self):
        self.logout(everywhere=self.get_argument("everywhere", "") == "yes")
        self.write("out")


class Cart(Page):
    loads_session = True

    def get(self):
        self.write({"cart": self.session.get("cart", [])})


class Kept(Page):
    loads_session = True

    def get(self):
        self.write(dict(self.session))


class Announce(Resource):
    """A plain resource: ``mojo`` is set by nobody, the service is found by its app."""

    isLeaf = True

    def render_POST(self, request):
        news = request.content.read().decode()
        for session in CURRENT_SESSIONS.values():
            session.emit("announced", news)
        return b"announced"
