"""Pages: request handlers with what Tornado's gave, templates, static files."""
