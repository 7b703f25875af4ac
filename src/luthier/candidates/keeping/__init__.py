"""What tuning made a model forget, measured; and how much of that is given back."""
