"""Where a Redis is: where its address says, or where somebody knows it to be now."""

from __future__ import annotations

from typing import Protocol

from twisted.internet.defer import Deferred, succeed

from mojo.redis.address import RedisAddress


class Follower(Protocol):
    """Who wants to be where Redis is."""

    def moved(self, address: RedisAddress) -> None:
        """It is there, whether that is new or not."""


class Finder(Protocol):
    """
    Knows where a Redis is.

    Attributes:
        address: what it was made of.
    """

    @property
    def address(self) -> RedisAddress:
        """As whom Redis is spoken to, and where it is looked for."""

    def enter(self, follower: Follower) -> None:
        """Tell somebody from now on where it is."""

    def leave(self, follower: Follower) -> Deferred[None]:
        """Tell it no longer."""

    def find(self) -> Deferred[RedisAddress]:
        """Give where it is; fails with `RedisUnavailable`."""


class Here:
    """
    A `Finder` of a Redis that is where its address says.

    Args:
        address: that.
    """

    def __init__(self, address: RedisAddress) -> None:
        self.address = address

    def enter(self, follower: Follower) -> None:
        """It does not move."""

    def leave(self, follower: Follower) -> Deferred[None]:
        """Nothing was begun."""
        return succeed(None)

    def find(self) -> Deferred[RedisAddress]:
        """Give where it is."""
        return succeed(self.address)
