"""Pages of the docs: those that are generated, and the playing of those that are written."""
