// The official server, for Mojo's client: node server.mjs [<port>] [msgpack]. It says PORT <port>.
// python_server.py and the test project answer the same events.
import { createServer } from "node:http";
import { Server } from "socket.io";
import msgpackParser from "socket.io-msgpack-parser";

const [port = 0, parser] = process.argv.slice(2);
const http = createServer();
const io = new Server(http, {
  connectionStateRecovery: { maxDisconnectionDuration: 60000 },
  ...(parser === "msgpack" ? { parser: msgpackParser } : {}),
});

function serve(socket) {
  socket.emit("welcome", { auth: socket.handshake.auth });
  socket.on("message", (...args) => socket.send(...args));
  socket.on("echo", (...args) => args.pop()(...args));
  socket.on("ask_back", async (question, answer) => {
    answer("the answer was", await socket.timeout(60_000).emitWithAck("question", question));
  });
  socket.on("handshake", (answer) => {
    const { headers, query } = socket.handshake;
    answer({ token: headers["x-token"], cookie: headers.cookie, room: query.room });
  });
  socket.on("transport", (answer) => answer(socket.conn.transport.name));
  socket.on("whoami", (answer) => answer(socket.nsp.name));
  socket.on("leave_me", () => socket.disconnect());
  socket.on("drop", () => socket.conn.close());
  socket.on("stream", async (count) => {
    // Numbered events, a few in each turn of the loop.
    for (let number = 0; number < count; number++) {
      socket.emit("number", number);
      if (number % 10 === 9) await new Promise((resolve) => setTimeout(resolve, 1));
    }
  });
  socket.on("second_try", (number, answer) => {
    const tries = (socket.data.tries ??= {});
    tries[number] = (tries[number] ?? 0) + 1;
    if (tries[number] > 1) answer(number);
  });
}

io.on("connection", serve);
io.of("/admin").use((socket, next) => {
  if (socket.handshake.auth.password === "open sesame") return next();
  next(Object.assign(new Error("wrong password"), { data: { hint: "caves" } }));
});
io.of("/admin").on("connection", serve);

http.listen(Number(port), "127.0.0.1", () => console.log(`PORT ${http.address().port}.`));
