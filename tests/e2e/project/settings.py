"""What the tests with official clients serve."""

from mojo.auth import BearerToken

DEBUG = False
COOKIE_SECRET = "for these tests alone: 0123456789 abcdef"
LOAD_USER = "accounts.load_user"
ON_USER_ONLINE = "accounts.user_online"
ON_USER_OFFLINE = "accounts.user_offline"
LOGIN_FROM = [BearerToken("for bearer tokens alone: 0123456789 abcdef")]
SOCKET_IO = {"client_path": "../node_modules/socket.io-client/dist"}
