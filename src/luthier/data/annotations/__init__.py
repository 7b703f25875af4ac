"""Forms in which tools and people write tables, each brought to the columns that tasks know."""
