"""
Several processes behind the same ports.

``twistd mojo --workers 4`` is a parent that opens the ports and never accepts a connection, and
four workers that serve the project.  `place` is what a worker knows of itself and the others.
"""
