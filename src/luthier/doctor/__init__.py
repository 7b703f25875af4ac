"""The doctor: what is wrong with the data, and what mends it."""
