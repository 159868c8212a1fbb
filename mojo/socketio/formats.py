"""The parser that a server's options name."""

from __future__ import annotations

from typing import Any

from mojo import dotted
from mojo.errors import SettingsError
from mojo.socketio.encoders import Encoder, encode_common
from mojo.socketio.json_parser import JsonParser
from mojo.socketio.parser import Parser


def make_parser(parser: Any = "json", encoder: Any = None) -> Parser:
    """
    Make a server's parser.

    Args:
        parser: ``"json"``, ``"msgpack"``, or a `Parser` or the dotted path of one.
        encoder: ``"common"``, or an encoder or the dotted path of one; see
            `mojo.socketio.encoders`.
    Raises:
        SettingsError: one of them is not that, or its package is not installed.
    """
    if isinstance(encoder, str):
        encoder = encode_common if encoder == "common" else dotted.load(encoder, _ENCODER)
    if encoder is not None and not callable(encoder):
        raise SettingsError([f"{_ENCODER} must be a function, not {type(encoder).__name__}"])
    if parser == "json":
        return JsonParser(encoder)
    if parser == "msgpack":
        return _make_msgpack(encoder)
    if isinstance(parser, str):
        parser = dotted.load(parser, _PARSER)
    if not isinstance(parser, Parser) or isinstance(parser, type):
        raise SettingsError(
            [f"{_PARSER} must be an object that is a mojo.socketio.parser.Parser, not {parser!r}"]
        )
    if encoder is not None:
        raise SettingsError([f"{_ENCODER} is for Mojo's own parsers: give it to yours yourself"])
    return parser


_PARSER, _ENCODER = "SOCKET_IO['parser']", "SOCKET_IO['encoder']"


def _make_msgpack(encoder: Encoder | None) -> Parser:
    try:
        # Here, since whoever speaks JSON need not have the package.
        from mojo.socketio.msgpack_parser import MsgpackParser  # noqa: PLC0415
    except ModuleNotFoundError as exc:
        raise SettingsError(
            [f"{_PARSER} = 'msgpack' needs the package msgpack: pip install 'mojo[msgpack]'"]
        ) from exc
    return MsgpackParser(encoder)
