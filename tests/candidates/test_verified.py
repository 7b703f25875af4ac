"""Learning from what can be checked: rounds, what is learnt in them, where they end, and that kills change nothing."""

import json
import os
import re
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from kills import at_call, die, kill_in, outcome, run
from luthier.batches.sequences import Sequences
from luthier.candidates.tuned import tuned, verified
from luthier.candidates.tuned.budget import Budget
from luthier.errors import Interrupted, WorldError
from luthier.events import Advanced, Event, Noted, Started
from luthier.plan.plan import Plan
from luthier.prepare.prepare import prepare
from luthier.steps.tune import tune
from luthier.train.loop import Lesson
from tiny_chats import chatting, plan_of_chat, talks, turn, write_rows

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="a child is forked to be killed"),
]

ROWS = 60


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with rows, and a run over them that has learnt some of them."""
    folder = tmp_path_factory.mktemp("home")
    rows = write_rows(folder / "a.jsonl", talks(ROWS))
    run(plan_of_chat(rows, chatting(folder / "llama"), folder / "some", **{"train.epochs": 14}))
    return folder


@pytest.fixture(autouse=True)
def every_round_teaches(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many prompts have none or all of their answers right."""
    monkeypatch.setattr(verified, "MOST", 1.0)


def plan_for(home: Path, out: Path, **settings: Any) -> Plan:
    own = {"task.verify": "contains", "train.lr": 1e-3, "train.rounds": 3, "run.save_every": "0.001s"}
    return plan_of_chat(home / "a.jsonl", home / "some", out, **own | settings)


def rounds_told(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, Noted) and event.text.startswith("Round ")]


def card(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "scorecard.json").read_text())
    return found


def answers_of(out: Path, number: int) -> list[list[str]]:
    found: list[list[str]] = json.loads((out / "state" / f"verified-answers-{number}.json").read_text())[
        "answers"
    ]
    return found


def test_the_share_that_passes_is_told_in_each_round_and_stands_in_the_scorecard(
    home: Path, tmp_path: Path
) -> None:
    events = run(plan_for(home, tmp_path / "run"))

    shares = card(tmp_path / "run")["tuning"]["verified"]["passed"]
    train = card(tmp_path / "run")["rows"]["train"]
    assert card(tmp_path / "run")["tuning"]["verified"]["rounds"] == len(shares) == 3
    assert 0 < shares[0] < 1
    for number, (share, words) in enumerate(zip(shares, rounds_told(events), strict=True), start=1):
        answers = answers_of(tmp_path / "run", number)
        assert [len(own) for own in answers] == [4] * train
        assert words.startswith(
            f"Round {number}: {100 * share:.1f} % of the model's own answers pass; of {train} prompts "
        )


def test_what_is_learnt_are_answers_that_passed_each_once_and_never_the_right_ones(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lessons = watch_lessons(monkeypatch)
    plan = plan_for(home, tmp_path / "run")
    rights = list(prepare(plan).examples["train"].targets)

    run(plan)

    assert len(lessons) == 3
    for number, (learnt, texts) in enumerate(lessons, start=1):
        pairs = zip(answers_of(tmp_path / "run", number), rights, strict=True)
        assert learnt == [one for own, right in pairs for one in dict.fromkeys(own) if right in one]
        assert texts == learnt
        assert len(learnt) < len(rights) * 4


def watch_lessons(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], list[str]]]:
    """For each lesson that is begun, the targets of its rows and the text of the tokens that are learnt."""
    seen: list[tuple[list[str], list[str]]] = []
    init = Lesson.__init__

    def watched(self: Lesson, task: Any, examples: Any, *rest: Any, **named: Any) -> None:
        init(self, task, examples, *rest, **named)
        assert isinstance(examples, Sequences)
        assert examples.writer is not None
        pieces = zip(examples.ends[:-1], examples.ends[1:], strict=True)
        texts = [
            examples.writer.spell(examples.ids[begin:end][examples.trained[begin:end]].tolist())
            for begin, end in pieces
        ]
        seen.append((list(examples.targets), texts))

    monkeypatch.setattr(Lesson, "__init__", watched)
    return seen


def test_earlier_answers_of_a_row_are_the_data_s_and_not_learnt(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = [turn("user", "Hello."), turn("assistant", "What is it that you want to hear?")]
    rows = [{"messages": [*earlier, *row["messages"]]} for row in talks(ROWS)]
    lessons = watch_lessons(monkeypatch)

    with_pattern = {"task.verify": "regex_match", "task.pattern": ".", "train.rounds": 1}
    run(
        plan_for(home, tmp_path / "run", **with_pattern).with_settings(
            {"data.path": str(write_rows(tmp_path / "b.jsonl", rows))}
        )
    )

    ((learnt, texts),) = lessons
    assert texts == learnt
    assert all("What is it" not in text for text in texts)


def test_rounds_end_where_most_prompts_teach_nothing_more(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verified, "MOST", 0.0)

    events = run(plan_for(home, tmp_path / "run"))

    assert len(rounds_told(events)) == 1
    assert "Most prompts teach nothing more: round 1 is the last." in told(events)
    assert card(tmp_path / "run")["tuning"]["verified"]["rounds"] == 1


def told(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, Noted)]


def test_where_no_answer_passes_the_model_stays_as_it_was_and_the_message_says_what_else_to_do(
    home: Path, tmp_path: Path
) -> None:
    plan = plan_for(home, tmp_path / "run", **{"task.verify": "regex_match", "task.pattern": "never"})

    for _ in range(2):  # the second finds the answers of the first
        with pytest.raises(WorldError) as error:
            run(plan)
        assert str(error.value).startswith(
            "--verify: none of the answers that the model wrote to 42 prompts passes, so it has nothing to learn from and stays "
            "as it was. "
        )
        assert re.search(
            r"\d+% of the answers are empty, or had not ended when they were as long as they may be \(--max-tokens\)\. "
            r"It has rouge_l ",
            str(error.value),
        )
        assert str(error.value).endswith(
            " on validation. Leave --verify out, so that it learns from the right answers, or begin with a model that has learnt "
            "some: --model RUN."
        )
    assert not (tmp_path / "run" / "model").exists()


def test_where_none_passes_in_a_later_round_training_goes_on_with_those_before(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw, rounds = vars(verified)["answered"], []

    def forgetful(run: Any, how: Any, number: int, over: Any) -> Generator[Any, None, Any]:
        rounds.append(number)
        found = yield from draw(run, how, number, over)
        return found if number == 1 else verified.Round([[] for _ in found.kept], 0.0, len(found.kept), 0)

    monkeypatch.setattr(verified, "answered", forgetful)
    lessons = watch_lessons(monkeypatch)

    events = run(plan_for(home, tmp_path / "run"))

    assert rounds == [1, 2]
    assert "Training goes on with the answers of round 1." in told(events)
    assert lessons[0] == lessons[1]


# Kills


def at_advance(begun: int, number: int) -> Callable[[], Callable[[Event], None]]:
    """Death at a step of what was begun as the `begun`th of all that rounds consist of: answers, training, answers, ..."""

    def looking() -> Callable[[Event], None]:
        seen = {"begun": 0, "advanced": 0}

        def look(event: Event) -> None:
            if isinstance(event, Started):
                seen["begun"] += event.step_name == verified.NAME
                seen["advanced"] = 0
            seen["advanced"] += isinstance(event, Advanced)
            if (seen["begun"], seen["advanced"]) == (begun, number):
                die()

        return look

    return looking


def nowhere() -> Callable[[Event], None]:
    return lambda event: None


MOMENTS: dict[str, tuple[Callable[[], None], Callable[[], Callable[[Event], None]]]] = {
    "while the first answers are written": (lambda: None, at_advance(1, 2)),
    "once the first answers are there": (at_call(verified, "rows_of", 1), nowhere),
    "in the midst of the first round": (lambda: None, at_advance(2, 4)),
    "while the second answers are written": (lambda: None, at_advance(3, 1)),
    "once the second answers are there": (at_call(verified, "rows_of", 2), nowhere),
    "in the midst of the second round": (lambda: None, at_advance(4, 3)),
    "once the last answers are there": (at_call(verified, "rows_of", 3), nowhere),
    "in the last training": (at_call(tuned, "validated", 2), nowhere),
    "once training is over": (at_call(tuned, "scored", 1), nowhere),
    "while what rounds came to is dropped": (at_call(tuned, "forget_weights", 1), nowhere),
}


@pytest.fixture(scope="module")
def undisturbed(home: Path) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verified, "MOST", 1.0)
        patch.setattr(verified, "AT_ONCE", 16)
        run(plan_for(home, home / "undisturbed"))
    return outcome(home / "undisturbed")


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_run_killed_in_a_round_ends_with_the_same_bytes(
    moment: str, home: Path, undisturbed: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verified, "AT_ONCE", 16)
    arm, looking = MOMENTS[moment]
    plan = plan_for(home, tmp_path / "run")

    kill_in(plan, arm, looking())
    run(plan)

    assert outcome(tmp_path / "run") == undisturbed
    assert list((tmp_path / "run" / "state").glob("verified-[0-9].safetensors")) == []


@pytest.mark.parametrize("at", [(1, 2), (2, 3), (4, 2)])
def test_ctrl_c_in_a_round_saves_what_is_there_and_the_run_goes_on_to_the_same_bytes(
    at: tuple[int, int],
    home: Path,
    undisturbed: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(verified, "AT_ONCE", 16)
    plan, seen = plan_for(home, tmp_path / "run"), [0, 0]

    def until_stopped() -> None:
        for event in tune(plan, lambda: tuple(seen) >= at):
            if isinstance(event, Started):
                seen[:] = [seen[0] + (event.step_name == verified.NAME), 0]
            seen[1] += isinstance(event, Advanced)

    with pytest.raises(Interrupted) as error:
        until_stopped()
    run(plan)

    assert f"luthier resume {tmp_path / 'run'}" in str(error.value)
    assert outcome(tmp_path / "run") == undisturbed


def test_a_budget_that_ends_among_the_answers_leaves_a_model_of_those_that_were_written(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verified, "AT_ONCE", 32)
    monkeypatch.setattr(Budget, "over", lambda self: "budget")

    run(plan_for(home, tmp_path / "run"))

    learnt = json.loads((tmp_path / "run/scorecard.json").read_text())["tuning"]["tuned"]
    assert (learnt["steps"], learnt["why"]) == (1, "budget")
    assert len(answers_of(tmp_path / "run", 1)) == 32
