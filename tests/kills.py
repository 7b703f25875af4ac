"""Runs that are killed by SIGKILL in a child process, and what two runs that end alike have in common."""

import hashlib
import json
import os
import re
import signal
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from luthier.events import Event, Stepped
from luthier.plan.plan import Plan
from luthier.steps import tune


def run(plan: Plan, look: Callable[[Event], None] = lambda event: None) -> list[Event]:
    """All events of a run, each shown to `look` as it comes."""
    events = []
    for event in tune.tune(plan):
        events.append(event)
        look(event)
    return events


def outcome(out: Path) -> dict[str, Any]:
    """All that two equal runs have in common: hashes of weights, the scorecard without costs, the answers."""
    found: dict[str, Any] = {
        str(file.relative_to(out)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted([*out.glob("model/**/*.safetensors"), *out.glob("predictions/*")])
    }
    return found | {"scorecard": card_of(out)}


def card_of(out: Path) -> dict[str, Any]:
    """The scorecard without what two equal runs do not have in common."""
    card: dict[str, Any] = untimed(json.loads((out / "scorecard.json").read_text()))
    del card["cost"], card["sha256"]  # of a record with times in it
    del card["looks"]  # what other runs have seen
    card["worth"]["words"] = re.sub(r"for [\d,]+ more seconds", "", card["worth"]["words"])
    return card


def untimed(record: Any) -> Any:
    """A record without what it says of time."""
    if isinstance(record, dict):
        timed = ("seconds", "rows_per_second")
        return {key: untimed(value) for key, value in record.items() if key not in timed}
    return [untimed(value) for value in record] if isinstance(record, list) else record


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killed(act: Callable[[], object]) -> None:
    """Do something in a child process, in which it is killed."""
    child = os.fork()
    if child == 0:
        os.environ["TOKENIZERS_PARALLELISM"] = "false"  # its threads were not forked
        try:
            act()
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "the child lived to its end"
    assert os.WTERMSIG(status) == signal.SIGKILL


def at_call(place: Any, name: str, number: int, after: bool = False) -> Callable[[], None]:
    """Whoever calls this function for the `number`th time dies, before it or after it."""

    def arm() -> None:
        real, calls = getattr(place, name), iter(range(1, 10**9))

        def deadly(*args: Any, **named: Any) -> Any:
            last = next(calls) == number
            if last and not after:
                die()
            found = real(*args, **named)
            if last:
                die()
            return found

        setattr(place, name, deadly)

    return arm


def at_step(number: int) -> Callable[[Event], None]:
    """Death when the loop yields a step."""
    return lambda event: die() if isinstance(event, Stepped) and event.step == number else None


def kill_in(
    plan: Plan, arm: Callable[[], None] = lambda: None, look: Callable[[Event], None] = lambda event: None
) -> None:
    def act() -> None:
        arm()
        run(plan, look)

    killed(act)
