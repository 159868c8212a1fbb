"""Socket.IO 2 clients: connected to the root unasked, ids, queries as auth, refusals."""

import json

from twisted.trial.unittest import SynchronousTestCase

from mojo.errors import ConnectionRefused
from mojo.socketio import MojoSocketHandler, event
from mojo.testing.frames import BINARY, CLOSE, WebSocketWire
from tests.socketio.world import World


class Handler(MojoSocketHandler):
    opened: list = []  # noqa: RUF012

    def on_open(self, request):
        self.opened.append((self, request))
        if "refuse" in request.auth:
            raise ConnectionRefused("no", json.loads(request.auth["refuse"] or "null"))

    def on_close(self, reason):
        self.opened.append(("closed", reason))

    @event
    def echo(self, *args):
        return args

    @event
    def fail(self):
        raise ValueError("as asked")


class Root(Handler):
    def on_open(self, request):
        super().on_open(request)
        if request.get_argument("root") == "refuse":
            raise ConnectionRefused("go away")
        if request.get_argument("root") == "close":
            self._connection.client.session.close()


class OldClient:
    """A WebSocket that speaks Socket.IO 2."""

    def __init__(self, world, path="/socket.io/", query="") -> None:
        self.world = world
        self.socket = WebSocketWire(world.site, f"{path}?EIO=3&transport=websocket{query}")
        (self.eid,) = list(world.server._engines[0 if path == "/socket.io/" else 1].sessions)[-1:]
        self._opened = False

    def send(self, *packets) -> None:
        for packet in packets:
            self.socket.send("4" + packet if isinstance(packet, str) else b"\x04" + packet)

    def received(self) -> list:
        self.world.turn()
        packets = []
        for frame in self.socket.frames():
            if not self._opened and frame.payload[:1] == b"0":
                self._opened = True
                assert json.loads(frame.payload[1:])["sid"] == self.eid
                continue
            if frame.opcode == CLOSE:
                packets.append("closed")
            elif frame.opcode == BINARY:
                packets.append(frame.payload)
            else:
                packets.append(frame.payload[1:].decode())
        return packets


class OldClientTests(SynchronousTestCase):
    def setUp(self) -> None:
        Handler.opened = Root.opened = []
        self.world = World({"/": Root, "/ChatSocket": Handler}, engine_options={"allow_eio3": True})

    def client(self, *args: str, **options: str) -> OldClient:
        return OldClient(self.world, *args, **options)

    def test_root_unasked(self) -> None:
        """A CONNECT without payload; the id is the session's."""
        client = self.client()
        self.assertEqual(client.received(), ["0"])
        handler, _ = Root.opened[-1]
        self.assertEqual(handler.id, client.eid)

    def test_own_path(self) -> None:
        """There the root is the app."""
        client = self.client("/ChatSocket/")
        self.assertEqual(client.received(), ["0"])
        handler, _ = Handler.opened[-1]
        self.assertIs(type(handler), Handler)
        self.assertEqual(handler.id, client.eid)
        client.send('21["echo",5]')
        self.assertEqual(client.received(), ["31[5]"])

    def test_namespace(self) -> None:
        client = self.client()
        client.received()
        client.send("0/ChatSocket,")
        self.assertEqual(client.received(), ["0/ChatSocket,"])
        handler, request = Handler.opened[-1]
        self.assertEqual(handler.id, f"/ChatSocket#{client.eid}")
        self.assertEqual(request.auth, {})

    def test_query_as_auth(self) -> None:
        """It is with the URL's query too, where apps of that time look for it."""
        client = self.client(query="&token=url&other=1")
        client.received()
        client.send("0/ChatSocket?token=a%20b&token=c&empty=,")
        self.assertEqual(client.received(), ["0/ChatSocket,"])
        _, request = Handler.opened[-1]
        self.assertEqual(request.auth, {"token": "c", "empty": ""})
        self.assertEqual(request.get_argument("token"), "c")
        self.assertEqual(request.arguments["token"], ("a b", "c"))
        self.assertEqual(request.query["other"], "1")
        # What other processes may be told of a client has no auth in it.
        self.assertEqual(request.facts["query"]["token"], "url")
        _, root_request = Handler.opened[0]
        self.assertEqual(root_request.get_argument("token"), "url")

    def test_query_with_too_many_fields(self) -> None:
        client = self.client()
        client.received()
        client.send("0/ChatSocket?" + "a=1&" * 200)
        self.assertEqual(client.received(), ["closed"])

    def test_events_and_binary(self) -> None:
        client = self.client()
        client.received()
        client.send("0/ChatSocket", '2/ChatSocket,7["echo","€"]')
        client.send('51-/ChatSocket,8["echo",{"_placeholder":true,"num":0}]', b"\x01\x02")
        self.assertEqual(
            client.received(),
            [
                "0/ChatSocket,",
                '3/ChatSocket,7["€"]',
                '61-/ChatSocket,8[{"_placeholder":true,"num":0}]',
                b"\x04\x01\x02",
            ],
        )

    def test_refusal(self) -> None:
        """The payload is the data, or without any the message; never an object around them."""
        client = self.client()
        client.received()
        for data, answer in (("", '"no"'), ('{"a":1}', '{"a":1}'), ('"text"', '"text"')):
            client.send(f"0/ChatSocket?refuse={data}")
            self.assertEqual(client.received(), [f"4/ChatSocket,{answer}"])

    def test_unknown_namespace(self) -> None:
        client = self.client()
        client.received()
        client.send("0/NobodySocket?a=1,")
        self.assertEqual(client.received(), ['4/NobodySocket,"Invalid namespace"'])

    def test_refused_root(self) -> None:
        client = self.client(query="&root=refuse")
        self.assertEqual(client.received(), ['4"go away"'])

    def test_no_root(self) -> None:
        """Nothing is said of it, since a refusal there would count for every namespace."""
        self.world = World({"/ChatSocket": Handler}, engine_options={"allow_eio3": True})
        client = self.client()
        self.assertEqual(client.received(), [])
        client.send("0/ChatSocket")
        self.assertEqual(client.received(), ["0/ChatSocket,"])

    def test_root_that_closes(self) -> None:
        """Whoever ends the session in ``on_open`` is told of its end, and nothing is left."""
        client = self.client(query="&root=close")
        self.world.turn()
        self.assertEqual(client.received(), ["closed"])
        namespace = self.world.server.namespaces["/"]
        self.assertEqual(list(namespace.adapter.select((), ())), [])
        self.assertEqual(namespace.connections, {})

    def test_gone_before_the_root(self) -> None:
        client = self.client()
        client.socket.wire.hang_up()
        self.world.turn()
        self.assertEqual(Root.opened, [])

    def test_violation(self) -> None:
        """A second CONNECT for the root, an event where it did not connect."""
        for packet in ("0", '2/ChatSocket,["echo"]', '2/ChatSocket?a=1,["echo"]'):
            client = self.client()
            client.received()
            client.send(packet)
            self.assertEqual(client.received(), ["closed"])

    def test_ids_are_not_logged(self) -> None:
        """They hold the session's id, with which anybody could speak for the client."""
        import mojo.socketio.dispatch as dispatch

        logged: list = []
        self.patch(dispatch._log, "failure", lambda text, *_, **fields: logged.append(str(fields)))
        client = self.client()
        client.received()
        client.send('2["fail"]')
        handler, _ = Root.opened[-1]
        self.assertEqual(len(logged), 1)
        for text in (*logged, repr(handler), repr(handler._connection)):
            self.assertNotIn(client.eid, text)

    def test_new_clients_beside_them(self) -> None:
        """One message, encoded once, reaches both in their own words."""
        old = self.client()
        new = self.world.connect("/ChatSocket")
        old.received()
        old.send("0/ChatSocket")
        old.received()
        self.world.server.namespaces["/ChatSocket"].operator.emit("news", b"\x01")
        text = '51-/ChatSocket,["news",{"_placeholder":true,"num":0}]'
        self.assertEqual(old.received(), [text, b"\x04\x01"])
        self.assertEqual(new.received(), [text, b"\x01"])
