"""Conversations that a tiny llama can learn, and how a run over them is made quick.

talks(60)                                [{"messages": [...]}, ...]: each answer repeats two words of its question
write_rows(tmp_path / "a.jsonl", rows)   the file
chatting(tmp_path / "llama")             a tiny llama with a byte-level tokenizer and ChatML
plan_of_chat(data, model, out, lr=3e-3)  the plan of a quick run
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from luthier.plan.plan import Plan
from tiny_llamas import byte_level, llama

WORDS = ("amber", "birch", "cedar", "dune", "ember", "frost", "grove", "heath")
QUICK: dict[str, Any] = {
    "method": "full",
    "lr": 3e-3,
    "epochs": 1,
    "batch_rows": 8,
    "precision": "fp32",
    "threads": 1,
}


def turn(role: str, content: Any) -> dict[str, Any]:
    return {"role": role, "content": content}


def talk(question: str, answer: str) -> dict[str, Any]:
    return {"messages": [turn("user", question), turn("assistant", answer)]}


def talks(count: int) -> list[dict[str, Any]]:
    """Different conversations."""
    pairs = [(WORDS[n % 8], WORDS[n // 8 % 8]) for n in range(count)]
    return [
        talk(f"Say {one} and {other}{'' if n < 64 else f' {n}'}.", f"{one} {other}")
        for n, (one, other) in enumerate(pairs)
    ]


def write_rows(path: Path, rows: Sequence[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def chatting(path: Path, **settings: Any) -> Path:
    """A tiny llama that reads 256 tokens, as random as it was drawn."""
    return llama(path, byte_level(), **settings)


def plan_of_chat(data: Path, model: Path, out: Path, **settings: Any) -> Plan:
    places = {"data.path": str(data), "model.name": str(model), "run.out": str(out)}
    return Plan.build(places | QUICK | settings)
