"""The wires of `mojo.testing`, under the name that tests have known them by."""

from mojo.testing.http import *  # noqa: F403
from mojo.testing.wire import *  # noqa: F403
