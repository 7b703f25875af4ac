"""The candidates of one run, and the choice among them."""
