"""What is counted before the first step, and what stops a run."""

import pytest

import chats
from luthier.batches.conversations import Conversation
from luthier.errors import DataError
from luthier.models.chat.proof import Proof, prove, refuse_nothing_learnt, stops
from luthier.models.chat.rendered import Rendered
from luthier.models.chat.renderer import open_renderer

END = 2


def row(prompt: int, answer: int, ended: bool = True, remarks: tuple[str, ...] = ()) -> Rendered:
    """So many tokens of a prompt, and of an answer."""
    ids = [5] * prompt + [6] * answer
    return Rendered([*ids[:-1], END] if ended else ids, [False] * prompt + [True] * answer, remarks)


def proved(*rows: Rendered, limit: int = 10) -> Proof:
    return prove(rows, (END,), limit)


def test_a_proof_tells_what_is_learnt() -> None:
    proof = proved(row(3, 2), row(4, 1))

    assert proof.share == pytest.approx(0.3)
    assert proof.words() == [
        "3 of 10 tokens are learnt (30.0%), in 2 rows.",
        "No row has more than 10 tokens.",
        "The end of each row's last answer is learnt.",
    ]
    assert stops(proof) == []


def test_a_proof_tells_rows_that_teach_nothing_are_cut_do_not_end_or_lose_something() -> None:
    proof = proved(row(4, 4), row(8, 0, False), row(8, 5), row(12, 5), row(2, 3, False, ("turn-lost",)))

    assert (proof.untaught, proof.cut, proof.unended) == ((1, 3), (2, 3), (2, 4))
    assert proof.words() == [
        "9 of 41 tokens are learnt (22.0%), in 5 rows.",
        "2 rows have nothing to learn.",
        "2 rows have more than 10 tokens: 10 tokens are cut off, 8 of them to be learnt.",
        "2 rows have an answer whose end is not learnt.",
        "1 row: the chat template leaves out a turn.",
    ]
    assert stops(proof) == [
        "2 of 5 rows (40%) teach nothing; at most 10% may.",
        "2 of 5 rows (40%) are longer than 10 tokens and lose their end; at most 10% may.",
        "1 of 5 rows (20%) have an answer whose end is not learnt; at most 10% may.",
        "1 of 5 rows (20%) lose something: the chat template leaves out a turn; at most 10% may.",
    ]
    assert stops(proof, most=0.5) == []


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([], "none of the 0 would be learnt. There are no rows."),
        (
            [row(9, 0, False)],
            "none of the 9 would be learnt. No row has a turn of the assistant. Check the roles of the turns, or "
            "learn all tokens.",
        ),
        (
            [row(12, 3)],
            "none of the 10 would be learnt. All 3 tokens of answers stand behind the 10 tokens that the model is given. "
            "Shorten the prompts, or name a model with --model that reads more.",
        ),
        (
            [row(9, 0, False, ("unlocated",))],
            "none of the 9 would be learnt. The answers cannot be found in what the chat template writes. Give the model another "
            "template, or learn all tokens.",
        ),
    ],
)
def test_rows_of_which_nothing_would_be_learnt_are_refused(rows: list[Rendered], reason: str) -> None:
    with pytest.raises(DataError) as error:
        refuse_nothing_learnt(proved(*rows))

    assert str(error.value) == f"All tokens are masked: {reason}"


def test_rows_of_which_something_is_learnt_are_not_refused() -> None:
    refuse_nothing_learnt(proved(row(9, 0, False), row(3, 2)))


@pytest.mark.parametrize("name", chats.TEMPLATES)
def test_every_template_passes_the_proof_and_rows_without_answers_do_not(name: str) -> None:
    renderer = open_renderer(chats.tokenizer(name))

    proof = prove(renderer.trainings([chats.talk("Hi", "Ho", "More", "No")] * 3), renderer.end, 200)
    empty = prove(renderer.trainings([Conversation(({"role": "user", "content": "Hi"},))]), renderer.end, 200)

    assert (proof.untaught, proof.cut, proof.unended) == ((), (), ())
    assert empty.untaught == (0,)


def test_where_all_tokens_are_learnt_an_end_is_among_them() -> None:
    renderer = open_renderer(chats.tokenizer("chatml"))

    assert prove([renderer.training(chats.talk("Hi", "Ho"), "all")], renderer.end, 200).unended == ()
