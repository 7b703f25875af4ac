"""Formats of other programs that a tuned model is written in, by name: a new one is a file and a row."""

from luthier.export.exporter import Exporter
from luthier.export.gguf import Gguf

EXPORTERS: dict[str, Exporter] = {"gguf": Gguf()}
"""The formats by the name that `luthier export --format` takes."""
