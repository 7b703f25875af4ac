"""Where a benchmark finds what it needs and leaves what it measured, from whatever folder it is started."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

TESTS = REPOSITORY / "tests"
"""Tiny models and rows are made there, for the benchmarks too."""

RESULTS = REPOSITORY / "benchmarks/RESULTS.md"

OUT = REPOSITORY / "benchmarks/out"
"""What was measured, by benchmark: an interrupted one goes on from there."""

DATA = REPOSITORY / "../shared/data"
MODELS = REPOSITORY / "../shared/models"
