"""The body learns from rows without labels before anything learns from those with labels."""
