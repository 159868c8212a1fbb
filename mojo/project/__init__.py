"""A project on disk: loading it, and making a new one."""
