"""
An existing twisted.web site that takes Mojo in: ``python resource_in_site.py [ENDPOINT]``.

The site has its own tree and knows nothing of Mojo's classes but the service it was
given.  Then, in a browser's console on http://127.0.0.1:8000/ (or in Node):
``io("/NewsSocket").on("news", console.log)``, and ``curl -d "Hello" http://127.0.0.1:8000/news``.
"""

import json
import sys

from twisted.internet import endpoints, task
from twisted.internet.defer import Deferred
from twisted.web.resource import Resource

from mojo import App, MojoService, MojoSocketHandler, Settings


class NewsSocket(MojoSocketHandler):
    def on_open(self, request):
        self.emit("news", "Welcome.")


class NewsResource(Resource):
    """A plain resource that broadcasts what is posted to it."""

    isLeaf = True

    def __init__(self, mojo):
        super().__init__()
        self.mojo = mojo

    def render_GET(self, request):
        here = len(self.mojo.current_sessions)
        return f"{here} visitors are here\n".encode()

    def render_POST(self, request):
        self.mojo.emit("news", request.content.read().decode("utf-8", "replace"), app="News")
        return b"told\n"


class StatsResource(Resource):
    """What the service counts, as JSON, for whoever asks from this machine."""

    isLeaf = True

    def __init__(self, mojo):
        super().__init__()
        self.mojo = mojo

    def render_GET(self, request):
        if getattr(request.getClientAddress(), "host", "127.0.0.1") != "127.0.0.1":
            request.setResponseCode(404)
            return b""
        request.setHeader("content-type", "application/json")
        return json.dumps(self.mojo.stats.dump()).encode()


async def main(reactor, where="tcp:8000:interface=127.0.0.1"):
    mojo = MojoService(reactor, Settings(debug=True), [App(name="News", handler=NewsSocket)])
    root = Resource()
    root.putChild(b"news", NewsResource(mojo))
    root.putChild(b"stats", StatsResource(mojo))
    for path, mount in mojo.mounts.items():
        root.putChild(path.strip("/").encode(), mount)

    mojo.startService()
    reactor.addSystemEventTrigger("before", "shutdown", mojo.stopService)
    port = await endpoints.serverFromString(reactor, where).listen(mojo.site_for(root))
    print("listening on", port.getHost(), flush=True)
    await Deferred()  # until it is stopped


task.react(main, sys.argv[1:])
