"""Studies that settled a default, from measured runs or from new ones."""
