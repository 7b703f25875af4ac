"""Runs of tiny language models that learn to chat, to prefer and to read, for tests of what comes after a run.

tuned("chat", folder)      a run over conversations in RUN = folder / "run", its model in folder / "model"
"""

import json
from pathlib import Path
from typing import Any

import luthier
from tiny_llamas import byte_level, llama, texts

ROWS = 40
SYSTEM = "Answer with one word of the message."
SETTINGS: dict[str, dict[str, Any]] = {
    "chat": {"task__system": SYSTEM, "task__max_tokens": 8, "task__metric": "contains"},
    "preference": {},
    "adaptation": {"task": "adaptation"},
}
"""Settings of each task's run, beyond those of all."""


def row(task: str, text: str) -> dict[str, Any]:
    """A row that is made of a message."""
    first, second, *_ = text.split()
    asked = {"role": "user", "content": text}
    if task == "chat":
        return {"messages": [asked, {"role": "assistant", "content": first}]}
    return (
        {"prompt": [asked], "chosen": first, "rejected": second} if task == "preference" else {"text": text}
    )


def write_rows(task: str, path: Path) -> Path:
    """A file of rows for a task."""
    lines = [json.dumps(row(task, text)) for text in texts()[:ROWS]]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def tuned(task: str, folder: Path) -> Path:
    """The run of a tiny model that was tuned for a task."""
    folder.mkdir(parents=True, exist_ok=True)
    model = llama(folder / "model", byte_level(), max_position_embeddings=2048, initializer_range=0.05)
    given: dict[str, Any] = {"model": str(model), "out": str(folder / "run"), "method": "full", "epochs": 1}
    run = luthier.tune(str(write_rows(task, folder / f"{task}.jsonl")), quiet=True, **given, **SETTINGS[task])
    return run.path
