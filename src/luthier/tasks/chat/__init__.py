"""Chat: a model learns to write the turns of an assistant."""
