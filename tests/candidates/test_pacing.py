"""What was foretold of a training is put right by its steps, and the time left follows the pace of now."""

import pytest

from luthier import machine
from luthier.candidates.tuned.pacing import Pacing
from luthier.events import Advanced, Noted, Started, Stepped
from luthier.machine import Load
from luthier.progress import Progress


def stepped(step: int, seconds: float) -> Stepped:
    return Stepped("tuned", step, 0.0, 1.0, 1e-3, 1.0, 8, 100, seconds)


def notes(pacing: Pacing, seconds: list[float], first: int = 1) -> list[Noted]:
    """What is said of steps that end at some seconds."""
    events = (stepped(first + at, when) for at, when in enumerate(seconds))
    return [note for event in events for note in pacing.notes(event)]


def test_steps_as_fast_as_foretold_are_not_told_of() -> None:
    assert notes(Pacing(1.0, 100), [1.2 * step for step in range(100)]) == []


def test_steps_of_another_pace_put_the_forecast_right_once() -> None:
    said = notes(Pacing(10.0, 1000), [0.5 * step for step in range(200)])

    assert [note.text for note in said] == [
        "Steps take 0.5 s, not 10 s: 8 min 10 s of training are left at most."
    ]


def test_when_what_ran_beside_is_over_it_is_put_right_again() -> None:
    busy, alone = [4.0 * step for step in range(30)], [120 + 0.5 * step for step in range(100)]

    said = notes(Pacing(1.0, 500), [*busy, *alone])

    assert next(note.text.split(":")[0] for note in said) == "Steps take 4 s, not 1 s"
    assert said[-1].text.startswith("Steps take 0.5 s, not ")


def test_a_resumed_training_counts_from_where_it_goes_on() -> None:
    said = notes(Pacing(10.0, 1000), [0.5 * step for step in range(40)], first=901)

    assert [note.text for note in said] == ["Steps take 0.5 s, not 10 s: 40 s of training are left at most."]


def test_a_budget_that_ends_training_first_is_told_with_the_step_that_it_reaches() -> None:
    pacing = Pacing(1.0, 126, end=lambda: 150.0)

    said = notes(pacing, [3.5 * step for step in range(40)])

    assert [note.text for note in said] == [
        "Steps take 3.5 s, not 1 s: 1 min 20 s of training are left at most. The budget ends it at about step 43 of 126."
    ]


def test_where_nothing_was_foretold_nothing_is_put_right() -> None:
    assert notes(Pacing(None, 1000), [9.0 * step for step in range(100)]) == []


def test_the_time_left_follows_the_pace_of_the_last_minute(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress()
    progress.show(Started("features", 0.0, 1000))
    for second in range(1, 101):  # a busy machine: one a second
        progress.show(Advanced(second, float(second)))
    for second in range(101, 181):  # and then ten
        progress.show(Advanced(100 + 10 * (second - 100), float(second)))

    lines = capsys.readouterr().err.splitlines()

    assert lines[-1].split() == ["900", "of", "1,000", "10", "s", "left"]


def test_a_bar_that_begins_in_the_middle_tells_the_time_of_what_is_left(
    capsys: pytest.CaptureFixture[str],
) -> None:
    progress = Progress()
    progress.show(Started("train", 0.0, 1000))
    for second in range(21):
        progress.show(Advanced(900 + second, float(second)))

    assert capsys.readouterr().err.splitlines()[-1].split()[-3] == "80"


def test_what_others_take_of_the_processor_is_what_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    before = Load(all=100.0, own=10.0, clock=0.0)
    monkeypatch.setattr(machine, "cores", lambda: 2)
    monkeypatch.setattr(Load, "now", staticmethod(lambda: Load(all=115.0, own=16.0, clock=10.0)))

    assert before.others_since() == pytest.approx((15 - 6) / 20)


def test_where_the_system_tells_nothing_others_take_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Load, "now", staticmethod(lambda: Load(all=0.0, own=16.0, clock=10.0)))

    assert Load(0.0, 10.0, 0.0).others_since() == 0.0
