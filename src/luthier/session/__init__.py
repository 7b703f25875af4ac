"""The commands as Python calls them: keywords are the plan's fields, progress is shown, the outcome is returned."""
