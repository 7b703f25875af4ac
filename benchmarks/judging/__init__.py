"""What a verdict on a model that was tuned elsewhere says, beside what the library says that tuned it."""
