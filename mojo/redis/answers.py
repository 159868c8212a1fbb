"""What servers and sentinels are asked about who is what, and what they answer.  Pure."""

from __future__ import annotations

from typing import Any

from mojo.errors import RedisUnavailable
from mojo.redis.address import RedisAddress
from mojo.redis.resp import RespError

#: Asks a server who it is.  Anybody may, whatever else an ACL lets them do.
WHO = ("HELLO", "2")


def trouble_of(hello: Any) -> str | None:
    """
    Say why a server is not the one that is wanted.

    Args:
        hello: what it answered to `WHO`.
    Returns:
        ``None`` if it is, or does not say who it is.
    """
    if not isinstance(hello, list):
        return None
    names_and_values = zip(hello[::2], hello[1::2], strict=False)
    role = next((value for name, value in names_and_values if name == b"role"), b"master")
    return None if role == b"master" else "it is a replica: what is sent there nobody else gets"


def question(master: str) -> tuple[str, ...]:
    """Give the command that asks a sentinel where a master is."""
    return ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", master)


def read_answer(address: RedisAddress, reply: Any) -> RedisAddress:
    """
    Give where the master is.

    Args:
        address: what the URL says.
        reply: what the sentinel answered.
    Raises:
        RedisUnavailable: it does not know.
    """
    if isinstance(reply, list) and len(reply) == 2:
        host, port = reply
        if isinstance(host, bytes) and isinstance(port, bytes) and port.isdigit():
            return address.at(host.decode("utf-8", "replace"), int(port))
    why = str(reply) if isinstance(reply, RespError) else "not known"
    raise RedisUnavailable(f"master {address.master!r}: {why}")
