"""A dozen of the hostile and damaged inputs that lie beside the project, each run as a command of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

RUNNER = Path(__file__).resolve().parents[2] / "shared" / "hostile" / "run.py"
LUTHIER = Path(sys.executable).parent / "luthier"
DOZEN = (
    *("shards-outside", "weights-link-outside", "layers-negative", "adapter-silent", "tokenizer-length-word"),
    *(
        "table-names-a-device",
        "parquet-dictionary",
        "key-empty",
        "scorecard-ship-a-word",
        "report-links-away",
    ),
    *("terminal-letters-in-names", "held-pickle-only"),
)


@pytest.mark.skipif(not RUNNER.is_file(), reason="there is no ../shared/hostile beside this project")
@pytest.mark.skipif(not LUTHIER.is_file(), reason="the command is not installed beside this Python")
def test_a_dozen_hostile_inputs_are_refused_or_held() -> None:
    ended = subprocess.run(
        [sys.executable, RUNNER, "--luthier", LUTHIER, *DOZEN], capture_output=True, text=True, timeout=900
    )

    assert ended.stdout.splitlines()[-1] == f"{len(DOZEN)} passed, 0 failed", ended.stdout + ended.stderr
