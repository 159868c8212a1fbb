"""
Mojo against Node and others, in the same run: see README.rst.

Nothing of Mojo imports this.
"""
