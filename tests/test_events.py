"""A generator's result, beside what it yields."""

from collections.abc import Generator

import pytest

from luthier.events import Work, result_of


def counted(until: int) -> Generator[int, None, str]:
    """Numbers, and at last how many they were, in words."""
    yield from range(until)
    return f"{until} numbers"


def test_work_yields_what_its_generator_yields_and_ends_with_what_it_returns() -> None:
    work = Work(counted(3))

    assert (list(work), work.result) == ([0, 1, 2], "3 numbers")


def test_work_that_has_not_come_to_its_end_has_no_result() -> None:
    work = Work(counted(3))
    for _ in work:
        break

    with pytest.raises(RuntimeError, match="has not come to its end"):
        _ = work.result


def test_who_asks_again_after_the_end_does_not_lose_the_result() -> None:
    work = Work(counted(1))

    assert (list(work), list(work), work.result) == ([0], [], "1 numbers")


def test_what_a_generator_raises_goes_through_and_leaves_no_result() -> None:
    def failing() -> Generator[int, None, str]:
        yield 1
        raise ValueError("in the midst")

    work = Work(failing())

    with pytest.raises(ValueError, match="in the midst"):
        list(work)
    with pytest.raises(RuntimeError, match="no result yet"):
        _ = work.result


def test_a_result_alone_is_had_without_a_loop() -> None:
    assert result_of(counted(4)) == "4 numbers"
