"""What writing costs: many prompts at once, beside transformers' own generation."""
