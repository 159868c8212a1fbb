"""The chat example: ``twistd -n mojo --project examples/chat``."""

from pathlib import Path

from mojo import env

PROJECT_NAME = "Mojo chat"

# `mojo secret` prints one.  Without it this is for looking at it on your own machine: DEBUG makes
# one up for each start, and who was logged in is not after the next.
COOKIE_SECRET = env("COOKIE_SECRET", "")
DEBUG = not COOKIE_SECRET

LISTEN = ["tcp:8000:interface=127.0.0.1"]

LOGIN_URL = "/login"
LOAD_USER = "Apps.Chat.accounts.find"

# Once for a user, however many tabs there are; and a reload is no departure.
ON_USER_ONLINE = "Apps.Chat.talk.tell_online"
ON_USER_OFFLINE = "Apps.Chat.talk.tell_offline"

# A phone that was out of reach for two minutes gets what it missed, once and in order.
SOCKET_IO = {"recovery": {"max_disconnection": 120}}

# The project's own: where its accounts and messages are.
DATABASE = env("CHAT_DATABASE", str(Path(__file__).with_name("chat.sqlite3")))
