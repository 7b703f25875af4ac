"""Texts beside others that are read by what their columns are called and hold: judged questions, and triplets."""

from pathlib import Path

import pytest

from luthier.errors import DataError
from shapes import json_lines, understood

TEXTS = [f"The parcel of number {n} came to the door in Leeds." for n in range(40)]


@pytest.mark.parametrize("answers", [(True, False), ("yes", "no"), ("Yes", "No"), ("true", "false")])
@pytest.mark.parametrize("context", ["passage", "context"])
def test_questions_answered_with_yes_or_no_are_pairs_with_a_label(
    tmp_path: Path, context: str, answers: tuple[bool | str, bool | str]
) -> None:
    rows = [
        {"question": f"did parcel {n} come", context: text, "answer": answers[n % 2]}
        for n, text in enumerate(TEXTS)
    ]

    found = understood(json_lines(tmp_path / "q.jsonl", rows))

    assert found.kind.name == "pair-classification"
    assert found.columns == {"text": "question", "text2": context, "label": "answer"}


@pytest.mark.parametrize("names", [("sent0", "sent1", "hard_neg"), ("query", "document", "negative")])
def test_three_texts_that_are_called_so_are_a_triplet(tmp_path: Path, names: tuple[str, ...]) -> None:
    rows = [dict(zip(names, (text, f"{text} Yes.", f"No: {text}"), strict=True)) for text in TEXTS]

    found = understood(json_lines(tmp_path / "t.jsonl", rows))

    assert found.kind.name == "embedding"
    assert found.columns == dict(zip(("text", "text2", "negative"), names, strict=True))


def test_three_texts_without_names_are_answered_with_flags_that_work(tmp_path: Path) -> None:
    path = tmp_path / "t.tsv"
    path.write_text("".join(f"{text}\t{text} Yes.\tNo: {text}\n" for text in TEXTS))

    with pytest.raises(
        DataError, match="--task embedding --text 'column 1' --text2 'column 2' --negative 'column 3'"
    ):
        understood(path)


def test_images_with_boxes_are_called_what_they_are(tmp_path: Path) -> None:
    box = {"label": "cat", "coordinates": {"x": 1, "y": 2, "width": 3, "height": 4}}
    path = json_lines(tmp_path / "b.jsonl", [{"image": f"{n}.png", "annotations": [box]} for n in range(9)])

    with pytest.raises(DataError, match="images with boxes"):
        understood(path)
