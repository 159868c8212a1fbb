"""`mojo.socketio.formats`: the parsers and encoders that settings name."""

import sys
import textwrap
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mojo.errors import SettingsError
from mojo.socketio.encoders import encode_common
from mojo.socketio.formats import make_parser
from mojo.socketio.json_parser import JsonParser
from mojo.socketio.msgpack_parser import MsgpackParser
from tests.socketio.world import World, remembering


def example() -> dict:
    """Run the parser of the document, which is as short as one can be."""
    text = (Path(__file__).parents[2] / "docs" / "parsers.rst").read_text(encoding="utf-8")
    code = text[text.index("    import json\n") : text.index("A decoder reads what")]
    namespace: dict = {}
    exec(textwrap.dedent(code), namespace)
    return namespace


own_parser = example()["parser"]
OwnParser = type(own_parser)
an_object = object()


class MakeTests(SynchronousTestCase):
    def problem(self, *args) -> str:
        with self.assertRaises(SettingsError) as caught:
            make_parser(*args)
        (problem,) = caught.exception.problems
        return problem

    def test_names(self) -> None:
        self.assertIsInstance(make_parser(), JsonParser)
        self.assertIsInstance(make_parser("json"), JsonParser)
        self.assertIsInstance(make_parser("msgpack"), MsgpackParser)

    def test_own(self) -> None:
        self.assertIs(make_parser(own_parser), own_parser)
        self.assertIs(make_parser(f"{__name__}.own_parser"), own_parser)

    def test_encoders(self) -> None:
        for encoder in ("common", encode_common, "mojo.socketio.encoders.encode_common"):
            for parser in ("json", "msgpack"):
                make_parser(parser, encoder).event("a", [{1, 2}])

    def test_not_installed(self) -> None:
        for name in ("msgpack", "mojo.socketio.msgpack_parser", "mojo.socketio.msgpack_values"):
            self.addCleanup(sys.modules.__setitem__, name, sys.modules.pop(name))
        sys.modules["msgpack"] = None  # what Python takes for a module that is not there
        self.assertEqual(
            self.problem("msgpack"),
            "SOCKET_IO['parser'] = 'msgpack' needs the package msgpack: "
            "pip install 'mojo[msgpack]'",
        )

    def test_mistakes(self) -> None:
        """Each names its setting, and what is wrong."""
        for args, expected in (
            (("nowhere.to.be_found",), "SOCKET_IO['parser'] = 'nowhere.to.be_found' cannot be"),
            ((f"{__name__}.missing",), f"SOCKET_IO['parser'] = '{__name__}.missing' cannot be"),
            ((f"{__name__}.an_object",), "SOCKET_IO['parser'] must be an object that is a"),
            ((f"{__name__}.OwnParser",), "SOCKET_IO['parser'] must be an object that is a"),
            ((5,), "SOCKET_IO['parser'] must be an object that is a"),
            (("json", "nowhere.encode"), "SOCKET_IO['encoder'] = 'nowhere.encode' cannot be"),
            (("json", 5), "SOCKET_IO['encoder'] must be a function, not int"),
            ((own_parser, "common"), "SOCKET_IO['encoder'] is for Mojo's own parsers"),
        ):
            self.assertTrue(self.problem(*args).startswith(expected), self.problem(*args))


class OwnParserTests(SynchronousTestCase):
    def test_exchange(self) -> None:
        """A server speaks nothing but its parser's format, to everyone."""
        handler = remembering(on_message=lambda self, *args: args)
        world = World({"/": handler}, parser=own_parser)
        for transport in ("websocket", "polling"):
            client = world.client(transport)
            client.send('[0,null,"/",null]')
            (answer,) = client.received()
            self.assertRegex(answer, r'^\[0, null, "/",\{"sid": "cid\d"\}\]$')
            client.send('[2,5,"/",["message","x"]]')
            self.assertEqual(client.received(), ['[3, 5, "/",["x"]]'])
            handler.handlers[-1].namespace.emit("a", 1)
            self.assertEqual(client.received(), ['[2, null, "/",["a", 1]]'])
            client.send('2["message"]')
            self.assertTrue(client.closed)

    def test_stamped(self) -> None:
        message = own_parser.event("a", [1]).stamped("x")
        self.assertEqual([p.data for p in message.packets("/")], ['[2, null, "/",["a", 1,"x"]]'])
        self.assertEqual(message.event, ("a", (1, "x")))
