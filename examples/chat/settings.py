"""The chat example: ``twistd -n mojo --project examples/chat``."""

PROJECT_NAME = "Mojo chat"

# For looking at it on your own machine.  A real project sets DEBUG to False and
# COOKIE_SECRET to what `mojo secret` prints, and keeps that out of its repository.
DEBUG = True

LISTEN = ["tcp:8000:interface=127.0.0.1"]
LOGIN_URL = "/login"
