"""Everything before the first computation: rows, model, tokens, the resolved plan."""
