"""The frames of `mojo.testing`, under the name that tests have known them by."""

from mojo.testing.frames import *  # noqa: F403
