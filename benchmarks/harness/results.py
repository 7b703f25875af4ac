"""`RESULTS.md`: one section for each benchmark, written by the benchmark itself."""

import os
import re
from pathlib import Path

from benchmarks.harness.places import RESULTS

PREAMBLE = """\
# Measured results

Each section is written by the script of its name in a folder beside this page; README.md tells how to run them.
"""


def write_section(name: str, body: str, path: Path = RESULTS) -> None:
    """Replace the section `## name`, or add it at the end; all other sections stay as they are."""
    assert not re.search(r"(?m)^## ", body), "a line '## ...' would end the section: use '### ...' inside it"
    text = path.read_text(encoding="utf-8") if path.exists() else PREAMBLE
    preamble, *sections = re.split(r"(?m)^(?=## )", text)
    parts = {part.partition("\n")[0]: part.strip() for part in sections}
    parts[f"## {name}"] = f"## {name}\n\n{body.strip()}"
    write_whole(path, "\n\n".join([preamble.strip(), *parts.values()]) + "\n")


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader, or the next run, finds the old one or the new one, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
