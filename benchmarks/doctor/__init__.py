"""What the checks of the data find, and what the advice on labels is worth."""
