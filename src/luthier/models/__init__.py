"""Pre-trained models: found, loaded safely, cut into rungs, given a head, saved."""
