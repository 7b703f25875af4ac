"""Conversations and preferences as rows of tables hold them, in the many ways in which people write them."""
