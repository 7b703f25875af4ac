"""Parts of a body that are computed faster than as they came, to the same numbers."""
