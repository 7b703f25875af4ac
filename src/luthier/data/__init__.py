"""Data: files become one table of columns, whose rows are dealt to training, validation and test."""
