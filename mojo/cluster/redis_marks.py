"""
Revocations in Redis, for servers that were away: a sorted set for each kind, by the moments.

A member is ``[id, user id]`` as JSON, of which the second is of logins; ``["",""]`` stands for
everything of the kind that is as old.  What no cookie could be that old for is removed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

from mojo.cluster.marks import read_mark
from mojo.errors import PacketError
from mojo.redis.link import RedisLink
from mojo.sessions.revocations import KINDS, MAX_MARKS, Mark

#: How many marks are read at once.
MAX_PAGE = 1000

# KEYS: a sorted set.  ARGV: the oldest that is needed; the most; the age in milliseconds; then
# moments and members.  What is too much makes a mark of everything that is as old, "[\"\",\"\"]".
_KEEP = """
local key = KEYS[1]
for n = 4, #ARGV, 2 do
    local at = redis.call('ZSCORE', key, ARGV[n + 1])
    if not at or tonumber(at) < tonumber(ARGV[n]) then
        redis.call('ZADD', key, ARGV[n], ARGV[n + 1])
    end
end
redis.call('ZREMRANGEBYSCORE', key, '-inf', '(' .. ARGV[1])
local over = redis.call('ZCARD', key) - tonumber(ARGV[2])
if over > 0 then
    local last = redis.call('ZRANGE', key, over - 1, over - 1, 'WITHSCORES')
    redis.call('ZREMRANGEBYRANK', key, 0, over - 1)
    redis.call('ZADD', key, last[2], '["",""]')
end
redis.call('PEXPIRE', key, ARGV[3])
return 1
"""
_READ = """
return redis.call(
    'ZRANGEBYSCORE', KEYS[1], ARGV[1], '+inf', 'WITHSCORES', 'LIMIT', ARGV[2], ARGV[3]
)
"""


class RedisMarks:
    """
    What is kept in Redis: a sorted set for each kind, by the moments.

    Args:
        link: the connection.
        prefix: what the cluster's names begin with.
        ages: seconds for which marks are needed, by their kinds.
        now: gives the seconds since the epoch.
        most: most marks of each kind.
    """

    def __init__(
        self,
        link: RedisLink,
        prefix: str,
        ages: Mapping[str, float],
        now: Callable[[], float],
        most: int = MAX_MARKS,
    ) -> None:
        self._link = link
        self._prefix = prefix
        self._ages = ages
        self._now = now
        self._most = str(most)

    def __repr__(self) -> str:
        return f"<RedisMarks at {self._link.address}>"

    async def read(self) -> list[Mark]:
        """Give all marks; see `MarkSource`."""
        marks: dict[tuple[str, str], Mark] = {}
        for kind in KINDS:
            # Pages by the moment, since what is older may go meanwhile.
            since, skip = "-inf", 0
            while True:
                args = (since, str(skip), str(MAX_PAGE))
                page = await self._link.eval(_READ, [self._key(kind)], args)
                for member, at in zip(page[::2], page[1::2], strict=True):
                    mark = _read_member(kind, member, at)
                    marks[kind, mark.key] = mark
                if len(page) < 2 * MAX_PAGE:
                    break
                skip = skip + MAX_PAGE if page[-1] == since else page[1::2].count(page[-1])
                since = page[-1]
        return list(marks.values())

    async def keep(self, marks: Sequence[Mark]) -> None:
        """Keep marks; see `MarkSource`."""
        for kind in KINDS:
            pairs = [
                text
                for mark in marks
                if mark.kind == kind
                for text in (repr(mark.at), json.dumps([mark.key, mark.user_id]))
            ]
            if pairs:
                age = self._ages[kind]
                args = [repr(self._now() - age), self._most, str(round(age * 1000)), *pairs]
                await self._link.eval(_KEEP, [self._key(kind)], args)

    async def close(self) -> None:
        """Let the connection go; see `MarkSource`."""
        await self._link.close()

    def _key(self, kind: str) -> str:
        return f"{self._prefix}-mojo-revoked:{kind}"


def _read_member(kind: str, member: str, at: str) -> Mark:
    try:
        key, user_id = json.loads(member)
        return read_mark([kind, key, float(at), user_id])
    except (ValueError, TypeError) as exc:
        raise PacketError("a mark in Redis that cannot be read") from exc
