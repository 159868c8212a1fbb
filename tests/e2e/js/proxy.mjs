// What is between a browser and the server, and can break every connection at once.

import net from "node:net";

export class Proxy {
  static async start(target) {
    const proxy = new Proxy();
    proxy.target = target;
    await new Promise((resolve) => proxy.server.listen(0, "127.0.0.1", resolve));
    proxy.origin = `http://127.0.0.1:${proxy.server.address().port}`;
    return proxy;
  }

  open = new Set();
  broken = false;
  server = net.createServer((near) => {
    if (this.broken) return near.destroy();
    const { hostname, port } = new URL(this.target);
    const far = net.connect(Number(port), hostname);
    for (const [one, other] of [[near, far], [far, near]]) {
      this.open.add(one);
      one.pipe(other);
      one.on("close", () => { this.open.delete(one); other.destroy(); });
      one.on("error", () => {});
    }
    return undefined;
  });

  cut() {
    this.broken = true;
    for (const socket of this.open) socket.destroy();
  }

  mend() { this.broken = false; }

  stop() {
    this.cut();
    return new Promise((resolve) => this.server.close(resolve));
  }
}
