"""Redis: the one folder that knows how it is spoken to."""
