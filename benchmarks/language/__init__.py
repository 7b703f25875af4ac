"""How luthier tunes language models, beside TRL."""
