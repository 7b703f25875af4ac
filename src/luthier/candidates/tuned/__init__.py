"""The dear candidate: a model of which some or all layers are trained."""
