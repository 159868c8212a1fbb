"""
How often a password may be tried: for each account, and from each address.

One number for each is all that is kept: the time at which it would be as if it had never
tried (the "generic cell rate algorithm", ITU-T I.371).  A try moves that time on; one
that would move it too far is refused, and it is known at once how long to wait.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b
from ipaddress import IPv6Address, ip_address
from math import inf
from unicodedata import normalize

from twisted.internet.interfaces import IReactorTime

from mojo.errors import TooManyTries

# Characters of a name that are read, and not only told from others.
_MAX_NAME = 1000


class RateLimit:
    """
    So many in so many seconds, for each of many keys.

    Args:
        clock: tells the time.
        most: how many at once; one more is allowed each ``window / most`` seconds.
        window: seconds after which it is as if there had been none.
        max_keys: most keys that are kept; beyond them the one that was used longest ago is
            forgotten.
    """

    def __init__(
        self, clock: IReactorTime, most: int, window: float, max_keys: int = 100_000
    ) -> None:
        self._clock = clock
        self._window = window
        self._each = window / most
        self._max_keys = max_keys
        self._clear_at: OrderedDict[bytes, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._clear_at)

    def seconds_to_wait(self, key: bytes) -> float:
        """Tell how long to wait for the next one; 0 is not at all."""
        now = self._clock.seconds()
        # A billionth for the rounding of sums: else the last of the window would wait.
        wait = self._clear_at.get(key, now) + self._each - self._window - now
        return wait if wait > 1e-9 * self._window else 0.0

    def count(self, key: bytes) -> None:
        """Count one more."""
        now = self._clock.seconds()
        self._clear_at[key] = max(self._clear_at.get(key, now), now) + self._each
        self._clear_at.move_to_end(key)
        while self._clear_at:
            clear_at = next(iter(self._clear_at.values()))
            if clear_at > now and len(self._clear_at) <= self._max_keys:
                break
            self._clear_at.popitem(last=False)

    def uncount(self, key: bytes) -> None:
        """Take one back."""
        if key in self._clear_at:
            self._clear_at[key] -= self._each

    def forget(self, key: bytes) -> None:
        """Be as if there had been none."""
        self._clear_at.pop(key, None)


class LoginTries:
    """
    A limit on tries, per account and per address.

    Args:
        clock: tells the time.
        account: most tries at one account within ``window``, wherever they come from.
        address: most tries from one address within ``window``, whatever the accounts.
        window: seconds.
        max_keys: most accounts and most addresses that are kept.

    Raises:
        ValueError: one of the numbers is less than one, or none.
    """

    def __init__(
        self,
        clock: IReactorTime,
        *,
        account: int = 10,
        address: int = 100,
        window: float = 900.0,
        max_keys: int = 100_000,
    ) -> None:
        numbers = {"account": account, "address": address, "window": window, "max_keys": max_keys}
        for name, number in numbers.items():
            if not isinstance(number, int | float) or not 1 <= number < inf:
                raise ValueError(f"{name} is a number from 1, not {number!r}")
        self._accounts = RateLimit(clock, account, window, max_keys)
        self._addresses = RateLimit(clock, address, window, max_keys)

    def begin(self, account: str, address: str) -> None:
        """
        Count a try before it is made, so that many at once are as many as one by one.

        Args:
            account: what the visitor typed, whether there is such an account or not.
            address: the visitor's.
        Raises:
            TooManyTries: with the seconds to wait; the try is not counted.
            TypeError: one of them is no text.
        """
        for value in (account, address):
            if not isinstance(value, str):
                raise TypeError(f"an account and an address are a str, not {type(value).__name__}")
        keys = _key_of(account), _network_of(address)
        wait = max(
            self._accounts.seconds_to_wait(keys[0]), self._addresses.seconds_to_wait(keys[1])
        )
        if wait > 0:
            raise TooManyTries(wait)
        self._accounts.count(keys[0])
        self._addresses.count(keys[1])

    def succeeded(self, account: str, address: str) -> None:
        """Note that a try was the right one: the account's count begins anew."""
        self._accounts.forget(_key_of(account))
        # Not forgotten, but taken back: who has one account may not try at all others.
        self._addresses.uncount(_network_of(address))


def _key_of(account: str) -> bytes:
    # A short key however long the name, and no list of names in memory.  What a database may
    # take for the same name is the same here: else each spelling had tries of its own.
    name = normalize("NFKC", account[:_MAX_NAME]).strip().casefold() + account[_MAX_NAME:]
    return blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _network_of(address: str) -> bytes:
    """Give what one visitor has of addresses: of IPv6 a whole /64."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address.encode("utf-8", "surrogatepass")  # "unix"
    if isinstance(parsed, IPv6Address):
        mapped = parsed.ipv4_mapped
        return mapped.packed if mapped is not None else parsed.packed[:8]
    return parsed.packed
