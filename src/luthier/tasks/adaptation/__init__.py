"""Adaptation: a language model goes on reading, in texts of the user's own."""
