"""Models for a task: a body, and what its head answers for."""
