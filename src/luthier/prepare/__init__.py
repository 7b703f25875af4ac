"""Preparing a run, everything before the first computation: rows, model, tokens, the resolved plan."""
