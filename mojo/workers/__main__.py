"""``python -m mojo.workers``: what the parent starts; see `mojo.workers.serve`."""

from mojo.workers.serve import run

run()
