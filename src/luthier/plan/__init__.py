"""The plan: everything that a user can ask for, section by section, each with its help."""
