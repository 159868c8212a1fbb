"""
Who somebody is: passwords and tries at them, and logins that others have given out.

What an app writer needs of it comes from here.
"""

from mojo.auth.passwords import MIN_LENGTH as MIN_PASSWORD
from mojo.auth.passwords import check_password, hash_password, needs_rehash
from mojo.auth.tries import LoginTries

__all__ = [
    "MIN_PASSWORD",
    "LoginTries",
    "check_password",
    "hash_password",
    "needs_rehash",
]
