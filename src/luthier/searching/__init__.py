"""The search: many trials of one plan, on one machine or several, and the best of them."""
