"""Commands in processes of their own, and what they took."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness.machine import busy_seconds

LUTHIER = str(Path(sys.executable).with_name("luthier"))
"""The luthier of this environment, started as a user starts it."""


@dataclass(frozen=True)
class Cost:
    """What a process took, as the kernel counted it; the peak is that of the largest, if it had children."""

    seconds: float
    cpu_seconds: float
    others: float
    """Share of the machine's processor time that other processes took meanwhile, slowing this one."""
    peak_bytes: int


def run_alone(command: Sequence[str], folder: Path) -> tuple[int, Cost]:
    """Exit code (negative: killed by that signal) and cost; `folder` receives `stdout` and `stderr`."""
    quiet = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    with open(folder / "stdout", "wb") as out, open(folder / "stderr", "wb") as err:
        begin, busy = time.perf_counter(), busy_seconds()
        process = subprocess.Popen(command, stdout=out, stderr=err, env={**os.environ, **quiet})
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.terminate()
            process.wait()
            raise
        seconds = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    own = usage.ru_utime + usage.ru_stime
    # The kernel counts both in ticks of its own, so the difference may fall below zero by a few.
    others = max(0.0, busy_seconds() - busy - own) / (seconds * (os.cpu_count() or 1))
    return process.returncode, Cost(seconds, own, others, usage.ru_maxrss * 1024)


def luthier(line: Sequence[str], cache: Path) -> tuple[dict[str, Any], Cost]:
    """What a command prints with `--json`, and what it cost; ends this process where the command fails."""
    with tempfile.TemporaryDirectory() as name:
        own = Path(name)
        code, cost = run_alone([LUTHIER, *line, "--cache", str(cache), "--json", "--quiet"], own)
        if code:
            sys.exit(f"luthier {line[0]}: exit code {code}: {last_line(own / 'stderr')}")
        return json.loads(last_line(own / "stdout")), cost


def last_line(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").rstrip().splitlines()
    return lines[-1].strip() if lines else "(no output)"


def names_of(known: Sequence[str]) -> Callable[[str], list[str]]:
    """Parse `a,b`, and say what there is when a name is not among `known`."""

    def names(text: str) -> list[str]:
        unknown = [name for name in text.split(",") if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: not among {', '.join(known)}")
        return text.split(",")

    return names
