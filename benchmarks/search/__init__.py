"""What a search over settings costs, and what it gains."""
