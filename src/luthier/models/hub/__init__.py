"""A model's folder as the hub's libraries write it: found, inspected, opened safely."""
