"""Which pieces an answer rests on, where it is known: of models whose logits are sums over words."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytest

from luthier.batches.examples import Examples
from luthier.forms.text_form import TextForm
from luthier.tasks.calibration import Calibration
from luthier.tasks.classification.explained import ExplainedLabels
from luthier.tasks.classification.task import Classification
from luthier.tasks.occlusion import AT_ONCE, Asked, weighed
from luthier.tasks.outputs import Logits
from luthier.tasks.regression import Regression
from luthier.tasks.task import Task

WORDS = {"neck": (0.2, -0.1, 0.0), "cracked": (1.5, 0.25, -1.0), "lovely": (-0.5, 2.0, 0.75)}
"""What each word adds to the logit of each label."""
BIAS = np.array([0.1, 0.3, -0.2])


def summed(rows: Sequence[str], outputs: int) -> Logits:
    """The logits of a bag of words."""
    sums = [BIAS + np.sum([WORDS.get(word, (0, 0, 0)) for word in row.split()], axis=0) for row in rows]
    return Logits(np.array(sums)[:, :outputs])


def asked(task: Task) -> Asked:
    return Asked(
        task,
        TextForm(),
        Calibration(),
        lambda rows: cast(Examples, rows),
        lambda rows: summed(cast(Sequence[str], rows), task.outputs),
    )


def test_of_two_labels_a_words_weight_is_its_share_of_the_difference_of_logits() -> None:
    (found,) = weighed(asked(Classification(("broken", "praise"))), ["a cracked neck"])

    assert {one.to_json()["words"]: one.weight for one in found} == pytest.approx(
        {"a": 0.0, "cracked": 1.5 - 0.25, "neck": 0.2 + 0.1}
    )


def test_of_a_number_a_words_weight_is_what_it_adds_in_the_users_units() -> None:
    (found,) = weighed(asked(Regression(mean=100, spread=20)), ["lovely neck"])

    assert [one.weight for one in found] == pytest.approx([-0.5 * 20, 0.2 * 20])


@pytest.mark.parametrize("many", [False, True])
def test_the_weights_of_all_words_add_up_to_what_speaks_for_the_answer_beyond_an_empty_row(
    many: bool,
) -> None:
    task = Classification(("broken", "praise") if not many else ("broken", "praise", "other"), many=many)
    row = "cracked neck lovely neck"

    (found,) = weighed(asked(task), [row])

    how = ExplainedLabels(many)
    both = summed([row, ""], task.outputs)
    said = np.repeat(how.said(task.answer(both, Calibration()))[:1], 2)
    whole, nothing = how.support(both, said)
    assert sum(one.weight for one in found) == pytest.approx(whole - nothing)


def test_of_several_labels_the_weight_is_the_change_of_the_answers_log_odds() -> None:
    task = Classification(("broken", "praise", "other"))

    (found,) = weighed(asked(task), ["cracked neck"])

    def log_odds(text: str) -> float:
        chances = task.answer(summed([text], 3), Calibration()).probabilities[0]
        return float(np.log(chances[0] / (1 - chances[0])))

    known = [log_odds("cracked neck") - log_odds("neck"), log_odds("cracked neck") - log_odds("cracked")]
    assert [one.weight for one in found] == pytest.approx(known)


def test_rows_are_weighed_alike_however_many_go_together_and_one_without_pieces_has_none() -> None:
    rows = ["cracked neck", "lovely", "lovely neck", ""] * AT_ONCE
    how = asked(Classification(("broken", "praise")))

    together = [[one.to_json() for one in own] for own in weighed(how, rows)]

    assert together == [[one.to_json() for one in weighed(how, [row])[0]] for row in rows]
    assert [len(own) for own in together[:4]] == [2, 0, 2, 0]


def test_an_answer_keeps_its_label_while_words_are_left_out() -> None:
    """Without `lovely` the answer would be the other label: the weight is still that of the one that was given."""
    found: list[Any] = weighed(asked(Classification(("broken", "praise"))), ["cracked lovely"])[0]

    assert [one.weight for one in found] == pytest.approx([0.25 - 1.5, 2.0 + 0.5])
