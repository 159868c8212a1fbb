"""
What an application may say about new sessions: who is let in, and by what id.

Both hooks are asked before the handshake is answered, and may be functions, give Deferreds
or be coroutines.  A hook that fails lets nobody in.
"""

from __future__ import annotations

import re

from twisted.logger import Logger

from mojo.calls import settled
from mojo.engineio.handshake import Handshake
from mojo.engineio.options import EngineOptions
from mojo.errors import ConnectionRefused, EngineError, EngineErrorCode

_log = Logger()

# Ids stand in URLs and cookies (RFC 3986 section 2.3, unreserved characters).
_ID = re.compile(r"[A-Za-z0-9._~-]{1,200}")


def is_asked(options: EngineOptions) -> bool:
    """Tell whether there is a hook at all: without, there is nothing to wait for."""
    return options.allow_request is not None or options.generate_id is not None


async def ask_whether_allowed(options: EngineOptions, handshake: Handshake) -> None:
    """
    Ask the hook ``allow_request``, if there is one.

    Raises:
        EngineError: it returned ``False``, raised `ConnectionRefused`, whose message the
            client is told, or failed.
    """
    if options.allow_request is None:
        return
    try:
        verdict = await settled(options.allow_request(handshake))
    except ConnectionRefused as exc:
        raise EngineError(
            EngineErrorCode.FORBIDDEN, message=exc.message, detail="by allow_request"
        ) from exc
    except Exception:
        _log.failure("allow_request failed for {address}", address=handshake.address)
        raise EngineError(EngineErrorCode.FORBIDDEN, detail="allow_request failed") from None
    if verdict is False:
        raise EngineError(EngineErrorCode.FORBIDDEN, detail="by allow_request")


async def ask_for_id(options: EngineOptions, handshake: Handshake) -> str | None:
    """
    Ask the hook ``generate_id`` for the id of a session.

    Returns:
        The id, or ``None`` without such a hook.
    Raises:
        EngineError: it failed, or gave what cannot be an id.
    """
    if options.generate_id is None:
        return None
    try:
        eid = await settled(options.generate_id(handshake))
    except Exception:
        _log.failure("generate_id failed for {address}", address=handshake.address)
        raise EngineError(EngineErrorCode.BAD_REQUEST, detail="generate_id failed") from None
    if not isinstance(eid, str) or not _ID.fullmatch(eid):
        # Not shown: it may be as good as an id.
        _log.error(
            "generate_id must give 1 to 200 letters, digits, dots, dashes, underscores or tildes"
        )
        raise EngineError(EngineErrorCode.BAD_REQUEST, detail="generate_id gave no id")
    return options.generated_prefix + eid
