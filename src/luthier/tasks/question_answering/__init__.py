"""Question answering: the part of a text that answers a question."""
