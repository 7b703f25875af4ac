"""Rows as a model is given them: encoded examples, their order, and the batches of a step."""
