"""The main job on data that luthier brings along, offline: what `luthier demo` shows."""

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import luthier
from luthier.folder.model_folder import ModelFolder
from luthier.models.hub.find import find_model, what_opening_takes
from luthier.plan.places import PACKAGED_CHAT
from luthier.plan.plan import Plan
from luthier.report.numbers import duration
from luthier.session.runs import run_plan

HERE = Path(luthier.__file__).parent / "demo"
MODEL = PACKAGED_CHAT
"""The language model that is tuned."""
CHAT_SECONDS = 900.0
"""Seconds that the demo of conversations takes at the most, with the opening of the model: two cores take two thirds of it,
without bf16 (docs/demo-chat.md)."""
FEWEST_SECONDS = 60.0
"""Seconds that are left to its run, however long the opening took."""
TEXTS = (
    "My parcel was meant to come on Monday and there is still no sign of it.",
    "The neck of the ukulele is cracked right through.",
    "Do these strings fit a seven string guitar?",
)
ORDERS = (
    "Order 51 204: the toaster trips the fuse each time I plug it in. I need one by Saturday for my sister's birthday.",
    "Could you tell me if the wok can go on an induction hob? No rush at all.",
    "I still cannot log in, and the link in your mail has run out.",
)
"""Messages that are answered in the end. They stand in no row."""


@dataclass(frozen=True)
class Shown:
    """A demo that was run."""

    folder: ModelFolder
    closing: Iterator[str]
    """Lines that are told after its scores, answered when they are asked for."""


def text_demo(out: str | None) -> Shown:
    """Sort messages by their topic."""
    files = {
        "data.path": HERE / "messages.csv",
        "data.test": HERE / "messages_test.csv",
        "run.out": out or "runs/demo",
    }
    # A third of the recipe's epochs: no worse on these messages, and a minute on two cores without bf16. To choose between the
    # probe and the tuned model takes more than the usual 63 validation rows.
    quick = {"train.epochs": 3, "data.valid_share": 0.2}
    folder = run_plan(Plan.build(files | quick), foretold_from=0.0)

    def closing() -> Iterator[str]:
        yield "Three predictions:"
        for words, answer in zip(TEXTS, folder.predict(TEXTS), strict=True):
            yield f"  {answer['label']:<17} {answer['probabilities'][answer['label']]:.2f}  {words}"

    return Shown(folder, closing())


def chat_demo(out: str | None) -> Shown:
    """Make JSON of messages. The model is opened first, so that its time is told by itself."""
    begin = time.monotonic()
    takes = what_opening_takes(MODEL)
    if takes is not None:
        print(takes, file=sys.stderr, flush=True)
    find_model(MODEL)
    opening = time.monotonic() - begin
    plan = {
        "data.path": HERE / "orders.jsonl",
        "run.out": out or "runs/demo-chat",
        "model.name": MODEL,
        "task.metric": "json_match",
        # The lower eighteen blocks stand still: what they make of a row is computed once, and the rest learns it as well.
        "train.method": "top:12",
        "train.lr": 3e-4,
        # Twice the recipe's three: what a message is about takes longer to learn than to copy a number (docs/demo-chat.md).
        "train.epochs": 6,
        # Each validation writes an answer to every row: once an epoch is enough to choose the best one.
        "train.validations": 1,
        "run.budget": f"{max(FEWEST_SECONDS, CHAT_SECONDS - opening):.0f}s",
    }
    folder = run_plan(Plan.build(plan), foretold_from=0.0)

    def closing() -> Iterator[str]:
        yield "Three answers:"
        asked = [
            [{"role": "system", "content": instruction()}, {"role": "user", "content": one}] for one in ORDERS
        ]
        for words, answer in zip(ORDERS, folder.predict(asked), strict=True):
            yield f"  {words}\n    {answer['text']}"
        yield f"\nTime: {times(folder, opening)}"
        yield f"\nluthier chat {folder.path}   asks it more"

    return Shown(folder, closing())


def instruction() -> str:
    """The system's turn, which all rows share."""
    import json

    with open(HERE / "orders.jsonl", encoding="utf-8") as file:
        return str(json.loads(next(file))["messages"][0]["content"])


def times(folder: ModelFolder, opening: float) -> str:
    """What each part of the run took."""
    cost = folder.scorecard.card.cost
    seconds = dict((cost.seconds if cost else None) or {})
    total = seconds.pop("total", 0.0)
    scoring = max(0.0, total - sum(seconds.values()))  # which goes on while the scorecard is written
    parts = {f"opening {Path(MODEL).name}": opening, **seconds, "score": scoring, "in all": opening + total}
    return ", ".join(f"{name} {duration(value)}" for name, value in parts.items())


DEMOS: dict[str, Callable[[str | None], Shown]] = {"text": text_demo, "chat": chat_demo}
"""What there is to be shown, by name. Each takes the folder of the run."""
