"""The chat's pages.  They work without a script, too; with one they are live."""

from datetime import UTC, datetime
from functools import partial
from unicodedata import normalize

from Apps.Chat import accounts, rooms, talk

from mojo import (
    HTTPError,
    MojoAuthMixin,
    MojoRequestHandler,
    MojoSessionMixin,
    login_required,
)
from mojo.auth import needs_rehash
from mojo.errors import TooManyTries

# Nothing but what this server itself serves, and in nobody's frame.
POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

# Where a login leads to.
FIRST = "/room/Lobby"

# What the page of the login says to whom a tab has sent there; see `on_logout`.
REASONS = {
    "logout": "You have logged out.",
    "login changed": "You have logged in as somebody else.",
    "expired": "Please log in again: it has been a while.",
    "revoked": "Your password was changed, and you were logged out.",
}


class Page(MojoSessionMixin, MojoAuthMixin, MojoRequestHandler):
    """What every page of the chat has."""

    def prepare(self):
        self.set_header("Content-Security-Policy", POLICY)
        # Who goes back after the logout sees no page from before it.
        self.set_header("Cache-Control", "no-store")

    def get_text(self, name):
        """Give a field of a form in which one text has one form, however it was typed."""
        return normalize("NFKC", self.get_argument(name, ""))

    def write_error(self, status, reason, failure):
        self.set_header("Content-Security-Policy", POLICY)
        self.write(self.render_string("error.html", title=f"{status} {reason}"))

    def render_form(self, template, status=200, **context):
        """Show a form, perhaps once more with what is wrong in it: ``errors`` by field."""
        self.set_status(status)
        self.render(
            template,
            **{"errors": {}, "name": "", "why": None, "next": self.next_url(FIRST), **context},
        )


class SignUp(Page):
    def get(self):
        self.render_form("signup.html")

    async def post(self):
        name, password = self.get_text("name"), self.get_argument("password", "", strip=False)
        errors = {}
        if not accounts.NAME.fullmatch(name):
            errors["name"] = "A name has 2 to 20 letters, digits or dashes, and no spaces."
        else:
            try:
                await accounts.sign_up(name, password)
            except ValueError as exc:
                errors["password"] = sentence(exc)
            except accounts.NameTaken:
                errors["name"] = f"The name {name} is taken. Please choose another one."
        if errors:
            self.render_form("signup.html", 400, errors=errors, name=name)
            return
        self.login(name)
        self.redirect(self.next_url(FIRST), status=303)


class LogIn(Page):
    def get(self):
        self.render_form("login.html", why=REASONS.get(self.get_argument("because", "")))

    async def post(self):
        name, password = self.get_text("name"), self.get_argument("password", "", strip=False)
        account = await accounts.find(name)
        try:
            right = await self.check_password(name, password, account and account.password)
        except TooManyTries as exc:
            self.set_header("Retry-After", exc.retry_after)
            self.render_form("login.html", 429, errors={"password": too_many(exc)}, name=name)
            return
        if not right:
            # The same for both, so that nobody learns here who has an account.
            errors = {"password": "The name or the password is wrong."}
            self.render_form("login.html", 400, errors=errors, name=name)
            return
        if needs_rehash(account.password):
            await accounts.set_password(account.name, password)
        self.login(account.name)
        self.redirect(self.next_url(FIRST), status=303)


class LogOut(Page):
    def post(self):
        self.logout(everywhere=bool(self.get_argument("everywhere", "")))
        self.redirect("/login?because=logout", status=303)


@login_required
class AccountPage(Page):
    def get(self):
        self.render_account()

    async def post(self):
        """Change the password, which leaves this browser as the only one that is logged in."""
        account = self.current_user
        old, new = (self.get_argument(field, "", strip=False) for field in ("old", "password"))
        errors = {}
        try:
            if await self.check_password(account.name, old, account.password):
                await accounts.set_password(account.name, new)
            else:
                errors["old"] = "This is not your password."
        except TooManyTries as exc:
            errors["old"] = too_many(exc)
        except ValueError as exc:
            errors["password"] = sentence(exc)
        if errors:
            self.render_account(400, errors=errors)
            return
        self.mojo.revoke(user_id=account.name)
        self.login(account.name)
        self.render_account(done="Your password is changed. Everywhere else you are logged out.")

    def render_account(self, status=200, *, done=None, errors=None):
        others = self.mojo.user(self.user_id).session_ids - {self.session_id}
        self.set_status(status)
        self.render("account.html", done=done, errors=errors or {}, others=len(others))


@login_required
class ChatPage(Page):
    """What shows the rooms and the people, and perhaps one of these."""

    async def get(self):
        await self.render_chat()

    async def render_chat(self, key=None, title="Rooms and people", **context):
        unread = await rooms.unread(self.user_id)
        private = {rooms.other(room, self.user_id) for room in unread if rooms.people_of(room)}
        online = self.mojo.online_users | {self.user_id}
        self.render(
            "chat.html",
            key=key,
            title=title,
            rooms=[room for room in unread if not rooms.people_of(room)],
            people=sorted(online | private, key=str.casefold),
            room_with=partial(rooms.private, self.user_id),
            unread=unread,
            online=online,
            longest=rooms.LONGEST_TEXT,
            iso=lambda at: datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="seconds"),
            **{"messages": [], "earlier": None, "error": None, "text": "", **context},
        )


class NewRoom(ChatPage):
    async def post(self):
        """Make a room, or go to the one that there is."""
        name = self.get_text("room")
        try:
            if await rooms.make(name):
                self.mojo.emit("room", name, app="Chat")
        except ValueError as exc:
            self.set_status(400)
            await self.render_chat(error=sentence(exc), text=name)
            return
        self.redirect(f"/room/{await rooms.find(name)}", status=303)


class RoomPage(ChatPage):
    """A room, and what was said in it."""

    async def get(self, name):
        key, title = await self.find_room(name)
        await rooms.enter(self.user_id, key)
        # The tabs that are open elsewhere hear from now on what is said here.
        me = self.mojo.user(self.user_id)
        me.sockets_join(key)
        me.emit("seen", key)
        await self.render_room(key, title)

    async def post(self, name):
        """Say something, from a page whose script does not run."""
        key, title = await self.find_room(name)
        text = self.get_argument("text", "")
        try:
            await talk.say(self.mojo, self.user_id, key, text)
        except talk.Refused as refusal:
            self.set_status(400)
            await self.render_room(key, title, error=str(refusal), text=text)
            return
        self.redirect(self.request.path.decode("ascii"), status=303)

    async def find_room(self, name):
        """Give a room's key, and what it is called for this user."""
        key = await rooms.find(name)
        if key is None:
            raise HTTPError(404)
        return key, key

    async def render_room(self, key, title, **context):
        before = self.get_argument("before", "")
        number = int(before) if before.isdecimal() and len(before) < 16 else None
        messages = await rooms.last(key, number)
        earlier = messages[0]["id"] if len(messages) == rooms.PAGE else None
        await self.render_chat(key, title, messages=messages, earlier=earlier, **context)


class WithPage(RoomPage):
    """The private room of two people."""

    async def find_room(self, name):
        account = await accounts.find(name)
        if account is None:
            raise HTTPError(404)
        return rooms.private(self.user_id, account.name), account.name


def too_many(error):
    minutes = -(-error.retry_after // 60)
    return f"Too many tries. Please wait for {minutes} minute{'' if minutes == 1 else 's'}."


def sentence(error):
    text = str(error)
    return f"{text[0].upper()}{text[1:]}."
