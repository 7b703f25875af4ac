"""A model as its rungs, and which of them move."""
