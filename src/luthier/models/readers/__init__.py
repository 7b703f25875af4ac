"""What brings rows into the form that a model reads."""
