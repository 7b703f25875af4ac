"""Conversations as token numbers: one renderer for training, answering, scoring and serving."""
