"""Few labels, and rounds of labelling."""
