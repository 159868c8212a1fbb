// A server of Node's in the cluster: node server.mjs <port> <name>
import { randomBytes } from "node:crypto";
import { createAdapter } from "@socket.io/redis-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";

const [port, name] = process.argv.slice(2);
const url = process.env.REDIS_URL ?? "redis://localhost:6379";
const [pub, sub] = [createClient({ url }), createClient({ url })];
for (const client of [pub, sub]) client.on("error", (error) => console.error(String(error)));
await Promise.all([pub.connect(), sub.connect()]);

const io = new Server({ adapter: createAdapter(pub, sub) });
io.of("/ChatSocket").on("connection", (socket) => {
  socket.on("say", (text, answer) => {
    socket.broadcast.emit("said", text);
    answer?.({ ok: true });
  });
});

io.listen(Number(port));
// nginx finds the server of a session by what its id begins with.
io.engine.generateId = () => `${name}.${randomBytes(15).toString("base64url")}`;
console.log(`listening on ${port}`);
