"""A node of a cluster, for the tests with Node's servers."""

from mojo.auth import BearerToken

DEBUG = False
LOGIN_FROM = [BearerToken("for bearer tokens alone: 0123456789 abcdef")]
COOKIE_SECRET = "for these tests alone: 0123456789 abcdef"
SOCKET_IO = {"client_path": "../node_modules/socket.io-client/dist"}
