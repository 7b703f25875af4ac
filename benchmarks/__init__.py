"""Measurements of luthier beside the tools that people use for the same jobs; README.md lists them."""
