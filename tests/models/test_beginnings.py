"""The tree of what prompts share at their beginnings."""

import random

import pytest

from luthier.models.decoding.beginnings import Ids, Level, levels_of


def put_together(levels: list[Level]) -> list[Ids]:
    """The prompts that the levels read in the end."""
    read: list[Ids] = [()]
    for level in levels:
        read = [read[parent] + piece for parent, piece in zip(level.parents, level.pieces, strict=True)]
    return read


def tokens_read(levels: list[Level]) -> int:
    return sum(len(piece) for level in levels for piece in level.pieces)


@pytest.mark.parametrize("worth", [1, 3, 10, 1000])
@pytest.mark.parametrize("seed", range(20))
def test_the_levels_read_all_prompts_in_their_order(seed: int, worth: int) -> None:
    dice = random.Random(seed)
    prompts = sorted({tuple(dice.choices((1, 2), k=dice.randrange(12))) for _ in range(30)})

    assert put_together(levels_of(prompts, worth)) == prompts


def test_with_a_worth_of_one_every_shared_token_is_read_once() -> None:
    prompts = sorted([(1, 2, 3), (1, 2, 4), (1, 5), (6, 7, 8), (6, 7, 8, 9)])
    every_beginning = {prompt[: end + 1] for prompt in prompts for end in range(len(prompt))}

    assert tokens_read(levels_of(prompts, 1)) == len(every_beginning)


def test_what_is_not_worth_a_level_is_read_with_each_prompt() -> None:
    assert levels_of([(1, 2, 3), (1, 2, 4)], worth=3) == [Level((0, 0), ((1, 2, 3), (1, 2, 4)))]


def test_groups_within_a_shared_beginning_have_a_level_of_their_own_and_others_wait() -> None:
    prompts = [(0, 1, 1, 1, 5), (0, 1, 1, 1, 6), (0, 2), (0, 3)]

    assert levels_of(prompts, worth=3) == [
        Level((0,), ((0,),)),
        Level((0, 0, 0), ((1, 1, 1), (), ())),
        Level((0, 0, 1, 2), ((5,), (6,), (2,), (3,))),
    ]


def test_no_prompt_needs_no_level_that_reads_something() -> None:
    assert put_together(levels_of([()])) == [()]
