"""Make ``twistd mojo`` known to twistd."""

from twisted.application.service import ServiceMaker

mojo = ServiceMaker(
    "Mojo",
    "mojo.tap",
    "Serve a Mojo project: its pages and its Socket.IO apps.",
    "mojo",
)
