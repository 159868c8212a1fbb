"""
Sessions in Redis: shared by processes and machines, and there after a restart.

Each is a hash ``mojo:session:<digest of the id>`` with ``version`` and ``data``; the version is
compared where the data is, in a script.  The id itself, which is in the visitor's cookie, is
in no key: keys are seen by whoever watches the server or reads its slow log.
"""

from __future__ import annotations

import hashlib
from typing import Any

from mojo.errors import RedisUnavailable, SessionMoved, SessionUnavailable
from mojo.redis.address import RedisAddress
from mojo.redis.link import RedisLink
from mojo.sessions.stores import MOVED_SECONDS, Carrier, Stored

_MOVED = "moved"

# Each begins with what all have to ask: was the id given up, and how long ago?
_ASK = """
local version = redis.call('HGET', KEYS[1], 'version') or ''
if version == 'moved' then return {'moved', tostring(redis.call('PTTL', KEYS[1]))} end
"""
_LOAD = (
    _ASK
    + """
if version == '' then return {'none'} end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return {'stored', version, redis.call('HGET', KEYS[1], 'data')}
"""
)
_SAVE = (
    _ASK
    + """
if version ~= ARGV[2] then return {'other'} end
redis.call('HSET', KEYS[1], 'version', ARGV[3], 'data', ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return {'saved'}
"""
)
_MOVE = (
    _ASK
    + """
if version ~= ARGV[2] then return {'other'} end
if ARGV[3] ~= '' then
    redis.call('HSET', KEYS[2], 'version', ARGV[3], 'data', ARGV[4])
    redis.call('PEXPIRE', KEYS[2], ARGV[1])
end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'version', 'moved')
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return {'saved'}
"""
)


class RedisStore:
    """
    A `SessionStore` in Redis.

    Args:
        link: the connection.
        max_age: seconds for which a session is kept after it was last asked for.
        max_size: most bytes of one.
    """

    pages_only = False

    def __init__(self, link: RedisLink, *, max_age: float, max_size: int) -> None:
        self.max_size = max_size
        self._link = link
        self._max_age = str(int(max_age * 1000))

    @classmethod
    def at(cls, url: str, reactor: Any, *, max_age: float, max_size: int) -> RedisStore:
        """
        Make the store of a URL.

        Raises:
            SettingsError: it is no URL of a Redis.
        """
        link = RedisLink(RedisAddress(url, "SESSION_STORE"), reactor)
        return cls(link, max_age=max_age, max_size=max_size)

    def __repr__(self) -> str:
        return f"<RedisStore at {self._link.address}>"

    def trouble(self) -> str | None:
        """Say in a word why sessions cannot be had; see `Troubled`."""
        return "away" if self._link.is_away else None

    async def load(self, session_id: str, carrier: Carrier) -> Stored | None:
        """Give a session; see `SessionStore`."""
        answer = await self._run(_LOAD, [session_id], self._max_age)
        return Stored(version=answer[1], data=answer[2]) if answer[0] == "stored" else None

    async def save(
        self, session_id: str, stored: Stored, expected: str | None, carrier: Carrier
    ) -> bool:
        """Keep a session; see `SessionStore`."""
        answer = await self._run(
            _SAVE, [session_id], self._max_age, expected or "", stored.version, stored.data
        )
        return bool(answer[0] == "saved")

    async def move(
        self,
        session_id: str,
        other: str,
        stored: Stored | None,
        expected: str | None,
        carrier: Carrier,
    ) -> bool:
        """Keep a session under another id; see `SessionStore`."""
        version, data = ("", "") if stored is None else (stored.version, stored.data)
        answer = await self._run(
            _MOVE,
            [session_id, other],
            self._max_age,
            expected or "",
            version,
            data,
            str(int(MOVED_SECONDS * 1000)),
        )
        return bool(answer[0] == "saved")

    async def close(self) -> None:
        """Let the connection go; see `SessionStore`."""
        await self._link.close()

    async def _run(self, script: str, session_ids: list[str], *args: str) -> list[str]:
        keys = [
            f"mojo:session:{hashlib.sha256(session_id.encode('utf-8')).hexdigest()}"
            for session_id in session_ids
        ]
        try:
            answer: list[str] = await self._link.eval(script, keys, args)
        except RedisUnavailable as exc:
            raise SessionUnavailable(f"the session store does not answer: {exc}") from exc
        if answer[0] == _MOVED:
            raise SessionMoved(MOVED_SECONDS - int(answer[1]) / 1000)
        return answer
