"""Exports of annotation tools: what is read of each, what was put aside, and what is refused."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from command import luthier as command
from luthier.data.read import read
from luthier.data.table import Table
from luthier.errors import DataError
from shapes import (
    csv_file,
    entities,
    expected,
    json_file,
    json_lines,
    labelled,
    labels,
    objects,
    said,
    sentences,
    set_aside,
    understood,
)

TEXTS = sentences()
LABELLED = labelled()


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


# Prodigy


def prodigy(number: int, text: str, spans: Sequence[tuple[int, int, str]], answer: str) -> dict[str, Any]:
    return {
        "text": text,
        "_input_hash": number,
        "_task_hash": number,
        "tokens": [{"text": "On", "start": 0, "end": 2, "id": 0, "ws": True}],
        "spans": objects(spans, token_start=0, token_end=1),
        "_view_id": "ner_manual",
        "answer": answer,
    }


def test_of_prodigys_spans_only_accepted_rows_hold(there: Path) -> None:
    answers = ["accept", "reject", "accept", "accept", "ignore", "accept"] * 2
    path = json_lines(there / "a.jsonl", [prodigy(n, *row, answers[n]) for n, row in enumerate(TEXTS)])

    assert entities(understood(path)) == expected(
        [row for row, one in zip(TEXTS, answers, strict=True) if one == "accept"]
    )
    assert set_aside(path) == {"rejected": [1, 7], "ignored": [4, 10]}


def test_an_accepted_row_without_spans_has_no_entity(there: Path) -> None:
    rows = [prodigy(n, *row, "accept") for n, row in enumerate(TEXTS)]
    del rows[3]["spans"]
    path = json_lines(there / "a.jsonl", rows)

    assert entities(understood(path))[3] == ("".join(TEXTS[3][0].split()), [])


def test_a_label_that_prodigy_rejected_is_not_the_rows(there: Path) -> None:
    rows = [
        {"text": text, "label": label, "_task_hash": n, "answer": "reject" if n > 7 else "accept"}
        for n, (text, label) in enumerate(LABELLED)
    ]
    path = json_lines(there / "a.jsonl", rows)

    assert labels(understood(path)) == LABELLED[:8]
    assert set_aside(path) == {"rejected": [8, 9, 10, 11]}


def test_with_one_label_prodigys_answers_are_the_labels(there: Path) -> None:
    rows = [
        {"text": text, "label": "SPAM", "_task_hash": n, "answer": ["accept", "reject", "ignore"][n % 3]}
        for n, (text, _) in enumerate(LABELLED)
    ]
    path = json_lines(there / "a.jsonl", rows)

    found = understood(path)

    assert found.columns == {"text": "text", "label": "answer"}
    assert found.labels == ("accept", "reject")
    assert "'SPAM'" in said(found.table)
    assert set_aside(path) == {"ignored": [2, 5, 8, 11]}


@pytest.mark.parametrize("more", [[], ["c"]])
def test_the_label_of_prodigys_choice_is_what_was_accepted(there: Path, more: list[str]) -> None:
    rows = [
        {"text": text, "options": [{"id": "a", "text": "A"}], "accept": [label, *more], "answer": "accept"}
        for text, label in LABELLED
    ]
    found = understood(json_lines(there / "a.jsonl", [*rows[:-1], {**rows[-1], "accept": ["b"]}]))

    assert found.columns["label"] == "accept"
    assert labels(found)[0] == (LABELLED[0][0], ("a", "c") if more else "a")


def test_a_column_called_answer_alone_is_no_prodigy(there: Path) -> None:
    rows = [[text, "accept" if n % 2 else "reject"] for n, (text, _) in enumerate(LABELLED)]

    assert read(csv_file(there / "a.csv", ["text", "answer"], rows)).layout.set_aside == {}


def test_entities_that_were_asked_about_one_by_one_are_told(there: Path) -> None:
    rows = [
        {**prodigy(n, text, spans[:1], "accept"), "_view_id": "ner"} for n, (text, spans) in enumerate(TEXTS)
    ]

    assert "asked about one span" in said(read(json_lines(there / "a.jsonl", rows)))


# doccano


@pytest.mark.parametrize("key", ["label", "labels"])
@pytest.mark.parametrize("text", ["text", "data"])
def test_doccanos_lists_of_start_end_and_label_are_spans(there: Path, key: str, text: str) -> None:
    rows = [{"id": n, text: one, key: spans, "Comments": []} for n, (one, spans) in enumerate(TEXTS)]

    assert entities(understood(json_lines(there / "a.jsonl", rows))) == expected(TEXTS)


def test_doccanos_relations_are_told_as_not_read(there: Path) -> None:
    rows = [
        {
            "text": text,
            "entities": [
                {"id": 1, "label": label, "start_offset": a, "end_offset": b} for a, b, label in spans
            ],
            "relations": [{"from_id": 1, "to_id": 2, "type": "met"}],
        }
        for text, spans in TEXTS
    ]
    found = understood(json_lines(there / "a.jsonl", rows))

    assert entities(found) == expected(TEXTS)
    assert "relations between spans" in said(found.table)


def test_labels_that_are_numbers_are_names_of_entities(there: Path) -> None:
    rows = [
        {
            "text": text,
            "annotations": [{"label": 5, "start_offset": a, "end_offset": b, "user": 1} for a, b, _ in spans],
        }
        for text, spans in TEXTS
    ]

    assert entities(understood(json_lines(there / "a.jsonl", rows)))[0][1] == [("AnnLee", "5"), ("Rome", "5")]


def test_a_span_that_lacks_a_part_is_refused_with_its_line(there: Path) -> None:
    rows = [{"text": text, "label": [list(span) for span in spans]} for text, spans in sentences(60)]
    rows[4]["label"] = [["On", "day"]]

    with pytest.raises(
        DataError, match=r"a\.jsonl, line 5: column 'label' holds .* Expected spans with start, end and label"
    ):
        read(json_lines(there / "a.jsonl", rows))


# Label Studio


def task(number: int, data: dict[str, Any], results: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    annotation = {
        "id": 100 + number,
        "result": results,
        "was_cancelled": False,
        "ground_truth": False,
        **more,
    }
    return {"id": number, "annotations": [annotation], "predictions": [], "data": data, "project": 3}


def marked(text: str, spans: Sequence[tuple[int, int, str]]) -> list[dict[str, Any]]:
    return [
        {
            "value": {"start": a, "end": b, "text": text[a:b], "labels": [label]},
            "from_name": "ner",
            "to_name": "t",
            "type": "labels",
        }
        for a, b, label in spans
    ]


def choice(*names: str) -> list[dict[str, Any]]:
    return [{"value": {"choices": list(names)}, "from_name": "mood", "to_name": "text", "type": "choices"}]


def test_label_studios_spans_are_read_with_the_text_that_they_are_of(there: Path) -> None:
    rows = [
        task(n, {"source": "web", "review": text}, marked(text, spans))
        for n, (text, spans) in enumerate(TEXTS)
    ]
    found = understood(json_file(there / "a.json", rows))

    assert entities(found) == expected(TEXTS)
    assert found.columns == {"text": "review", "label": "ner"}


def test_label_studios_choices_are_labels_under_the_name_of_their_control(there: Path) -> None:
    rows = [task(n, {"text": text}, choice(label)) for n, (text, label) in enumerate(LABELLED)]
    found = understood(json_lines(there / "a.jsonl", rows))

    assert labels(found) == LABELLED
    assert found.columns == {"text": "text", "label": "mood"}


def test_keys_that_a_newer_label_studio_adds_are_no_matter(there: Path) -> None:
    rows = [
        {**task(n, {"text": text}, choice(label)), "state": "DONE"}
        for n, (text, label) in enumerate(LABELLED)
    ]

    assert labels(understood(json_file(there / "a.json", rows))) == LABELLED


def test_tasks_of_label_studio_without_annotations_have_their_text_alone(there: Path) -> None:
    table = read(json_file(there / "a.json", [{"data": {"review": text}} for text, _ in LABELLED]))

    assert table.values("review") == [text for text, _ in LABELLED]


def test_what_was_skipped_in_label_studio_is_set_aside(there: Path) -> None:
    rows = [task(n, {"text": text}, choice(label)) for n, (text, label) in enumerate(LABELLED)]
    rows[2]["annotations"][0]["was_cancelled"] = True
    rows[5] |= {"annotations": [], "cancelled_annotations": 1}

    assert set_aside(json_file(there / "a.json", [{"cancelled_annotations": 0, **row} for row in rows])) == {
        "cancelled": [2, 5]
    }


def test_of_several_annotations_the_ground_truth_or_else_the_latest_is_taken(there: Path) -> None:
    rows = []
    for n, (text, label) in enumerate(LABELLED):
        row = task(n, {"text": text}, choice("wrong"), created_at="2024-02-01T00:00:00Z")
        best = (
            {"ground_truth": True, "created_at": "2023"} if n % 2 else {"created_at": "2024-03-01T00:00:00Z"}
        )
        row["annotations"].insert(n % 3 == 0, {"result": choice(label), "was_cancelled": False, **best})
        rows.append(row)
    found = understood(json_file(there / "a.json", rows))

    assert labels(found) == LABELLED
    assert "12 rows of Label Studio have several annotations" in said(found.table)


def test_results_of_several_controls_do_not_clash_and_are_told(there: Path) -> None:
    note = {"value": {"text": ["a", "b"]}, "from_name": "note", "to_name": "t", "type": "textarea"}
    rows = [task(n, {"text": text}, [*marked(text, spans), note]) for n, (text, spans) in enumerate(TEXTS)]
    found = understood(json_file(there / "a.json", rows))

    assert entities(found) == expected(TEXTS)
    assert "'ner' is learnt, not 'note'" in said(found.table)


def test_a_way_through_a_tree_of_names_is_a_label(there: Path) -> None:
    rows = [
        task(
            n,
            {"text": text},
            [{"value": {"taxonomy": [["shop", label]]}, "from_name": "t", "type": "taxonomy"}],
        )
        for n, (text, label) in enumerate(LABELLED)
    ]

    assert understood(json_file(there / "a.json", rows)).labels == ("shop / a", "shop / b")


def test_boxes_of_label_studio_are_refused_by_their_name(there: Path) -> None:
    box = {
        "value": {"x": 1, "rectanglelabels": ["cat"]},
        "from_name": "l",
        "to_name": "image",
        "type": "rectanglelabels",
    }

    with pytest.raises(DataError, match=r"Label Studio's export, .*rectanglelabels"):
        read(json_file(there / "a.json", [task(n, {"image": "a.jpg"}, [box]) for n in range(3)]))


def test_images_of_label_studio_are_for_image_classification(there: Path) -> None:
    rows = [task(n, {"image": f"/data/upload/{n}.jpg"}, choice("ab"[n % 2])) for n in range(6)]
    layout = read(json_file(there / "a.json", rows)).layout

    assert (layout.task, layout.columns) == ("image-classification", {"image": "image", "label": "mood"})


def min_row(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "annotator": 1,
        "annotation_id": number,
        **more,
        "created_at": "2024",
        "lead_time": 3.4,
    }


def test_of_json_min_one_choice_is_a_text_and_several_an_object(there: Path) -> None:
    rows = [
        min_row(n, review=text, mood={"choices": [label, "c"]} if n < 4 else label)
        for n, (text, label) in enumerate(LABELLED)
    ]
    found = understood(json_file(there / "a.json", rows))

    assert labels(found) == [
        (text, (label, "c") if n < 4 else (label,)) for n, (text, label) in enumerate(LABELLED)
    ]
    assert found.columns == {"text": "review", "label": "mood"}


def test_json_min_and_csv_of_label_studio_hold_the_same_spans(there: Path) -> None:
    spans = [
        [{"start": a, "end": b, "text": text[a:b], "labels": [label]} for a, b, label in own]
        for text, own in TEXTS
    ]
    rows = [min_row(n, text=text, ner=spans[n]) for n, (text, _) in enumerate(TEXTS)]
    header = list(rows[0])
    cells = [[json.dumps(row["ner"]) if name == "ner" else row[name] for name in header] for row in rows]

    assert entities(understood(json_file(there / "a.json", rows))) == expected(TEXTS)
    assert entities(understood(csv_file(there / "a.csv", header, cells))) == expected(TEXTS)


# spaCy


@pytest.mark.parametrize("lines", [True, False])
def test_spacys_pairs_of_a_text_and_its_entities_are_rows(there: Path, lines: bool) -> None:
    pairs = [[text, {"entities": spans}] for text, spans in TEXTS]
    path = json_lines(there / "a.jsonl", pairs) if lines else json_file(there / "a.json", pairs)

    assert entities(understood(path)) == expected(TEXTS)


def test_pairs_beside_the_names_of_classes_are_rows_and_null_is_an_empty_one(there: Path) -> None:
    value = {
        "classes": ["PERSON"],
        "annotations": [None, *([text, {"entities": spans}] for text, spans in TEXTS)],
    }

    assert entities(understood(json_file(there / "a.json", value))) == expected(TEXTS)


@pytest.mark.parametrize("whole", [True, False])
def test_spacys_categories_are_labels(there: Path, whole: bool) -> None:
    def cats(label: str) -> dict[str, Any]:
        return {"a": float(label == "a"), "b": float(label == "b")} if whole else {label: True}

    found = understood(
        json_file(there / "a.json", [[text, {"cats": cats(label)}] for text, label in LABELLED])
    )

    assert labels(found) == LABELLED


def test_spacys_documents_of_tokens_are_a_row_for_each_sentence(there: Path) -> None:
    tokens = [
        {"orth": "Ann", "ner": "B-person"},
        {"orth": "Lee", "ner": "L-person"},
        {"orth": "left", "ner": "O"},
    ]
    value = [
        {"id": n, "paragraphs": [{"raw": "x", "sentences": [{"tokens": tokens}, {"tokens": tokens}]}]}
        for n in range(3)
    ]
    table = read(json_file(there / "a.json", value))

    assert table.values("tokens") == [["Ann", "Lee", "left"]] * 6
    assert table.values("tags") == [["B-person", "L-person", "O"]] * 6


def test_spacys_binary_form_is_refused_with_the_way_out(there: Path) -> None:
    (there / "a.spacy").write_bytes(b"\x00")

    with pytest.raises(DataError, match=r"spaCy's binary form.*DocBin"):
        read(there / "a.spacy")


# Dataturks


def test_dataturks_ends_are_inclusive(there: Path) -> None:
    rows = [
        {
            "content": text,
            "annotation": [
                {"label": [label], "points": [{"start": a, "end": b - 1, "text": text[a:b]}]}
                for a, b, label in spans
            ],
            "extras": None,
        }
        for text, spans in TEXTS
    ]
    found = understood(json_lines(there / "a.json", rows))

    assert entities(found) == expected(TEXTS)
    assert "inclusive" in said(found.table)


def test_dataturks_labels_of_whole_rows_are_labels_and_skipped_rows_set_aside(there: Path) -> None:
    rows = [
        {
            "content": text,
            "annotation": {"labels": [label], "note": ""},
            "metadata": {"status": "skipped" if n == 3 else "done"},
        }
        for n, (text, label) in enumerate(LABELLED)
    ]
    path = json_lines(there / "a.json", rows)

    assert labels(understood(path)) == LABELLED[:3] + LABELLED[4:]
    assert set_aside(path) == {"skipped": [3]}


# brat


def brat(folder: Path, texts: Sequence[tuple[str, Sequence[tuple[int, int, str]]]], end: str = "\n") -> Path:
    folder.mkdir()
    for at in range(0, len(texts), 3):
        content = ""
        lines: list[str] = []
        for text, spans in texts[at : at + 3]:
            lines += [
                f"T{len(lines)}\t{label} {len(content) + a} {len(content) + b}\t{text[a:b]}\n"
                for a, b, label in spans
            ]
            content += text + end
        (folder / f"{at:02}.txt").write_bytes(content.encode())
        (folder / f"{at:02}.ann").write_text("".join(lines) + "R1\tmet Arg1:T0 Arg2:T1\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_folder_of_brats_is_a_row_for_each_line(there: Path, end: str) -> None:
    found = understood(brat(there / "corpus", TEXTS, end))

    assert entities(found) == expected(TEXTS)
    assert "not 4 relations" in said(found.table)


def test_an_entity_over_two_lines_keeps_them_together_and_pieces_are_told(there: Path) -> None:
    folder = there / "corpus"
    folder.mkdir()
    (folder / "a.txt").write_text("We saw New\nYork then.\nAnn the late Lee.\n", encoding="utf-8")
    (folder / "a.ann").write_text(
        "T1\ttown 7 15\tNew York\nT2\tperson 22 25;35 38\tAnn Lee\n", encoding="utf-8"
    )
    table = read(folder)

    assert table.values("text") == ["We saw New\nYork then.", "Ann the late Lee."]
    assert table.values("spans") == [
        [{"start": 7, "end": 15, "label": "town"}],
        [{"start": 0, "end": 16, "label": "person"}],
    ]
    assert "in several pieces" in said(table)


def test_a_long_text_with_an_entity_on_each_line_is_read_in_seconds(there: Path) -> None:
    folder, count = there / "corpus", 20_000
    folder.mkdir()
    (folder / "a.txt").write_text("Ann met Bob.\n" * count, encoding="utf-8")
    (folder / "a.ann").write_text(
        "".join(f"T{at}\tperson {13 * at} {13 * at + 3}\tAnn\n" for at in range(count)), encoding="utf-8"
    )
    begin = time.monotonic()

    table = read(folder)

    assert table.values("spans", [0, count - 1]) == [[{"start": 0, "end": 3, "label": "person"}]] * 2
    assert time.monotonic() - begin < 15  # each line was once compared with every entity, which took minutes


def test_a_line_that_is_not_brats_is_refused_with_its_place(there: Path) -> None:
    folder = brat(there / "corpus", TEXTS)
    (folder / "00.ann").write_text("T1 person 0 3 Ann\n", encoding="utf-8")

    with pytest.raises(DataError, match=r"brat's \.ann files cannot be read: 00\.ann, line 1"):
        read(folder)


def test_a_file_of_a_brat_folder_is_answered_with_the_folder(there: Path) -> None:
    with pytest.raises(DataError, match="give the folder"):
        read(brat(there / "corpus", TEXTS) / "00.ann")


def test_spans_of_label_studio_in_hypertext_are_read_as_those_of_texts(there: Path) -> None:
    tasks = [
        {
            "id": n,
            "data": {"text": text},
            "annotations": [
                {
                    "result": [
                        {
                            "type": "hypertextlabels",
                            "from_name": "ner",
                            "to_name": "text",
                            "value": {"start": a, "end": b, "hypertextlabels": [kind]},
                        }
                        for a, b, kind in own
                    ]
                }
            ],
        }
        for n, (text, own) in enumerate(TEXTS)
    ]

    assert entities(understood(json_file(there / "l.json", tasks))) == expected(TEXTS)


# Argilla


def record(number: int, text: str, annotation: Any, status: str) -> dict[str, Any]:
    return {"text": text, "prediction": None, "annotation": annotation, "status": status, "id": str(number)}


def test_records_of_argilla_that_were_discarded_or_not_answered_are_set_aside(there: Path) -> None:
    states = ["Validated", "Edited", "Validated", "Discarded", "Default", "Validated"] * 2
    rows = [record(n, text, label, states[n]) for n, (text, label) in enumerate(LABELLED)]
    path = json_lines(there / "a.jsonl", rows)

    assert labels(understood(path)) == [LABELLED[n] for n in (0, 1, 2, 5, 6, 7, 8, 11)]
    assert set_aside(path) == {"discarded": [3, 9], "not answered": [4, 10]}


def test_spans_of_argilla_name_the_label_first(there: Path) -> None:
    rows = [
        record(n, text, [[kind, a, b] for a, b, kind in own], "Validated")
        for n, (text, own) in enumerate(TEXTS)
    ]

    assert entities(understood(json_lines(there / "a.jsonl", rows))) == expected(TEXTS)


def answered(value: Any, status: str = "submitted") -> dict[str, Any]:
    return {"value": value, "user_id": "u", "status": status}


def second_record(text: str, responses: list[dict[str, Any]], status: str = "completed") -> dict[str, Any]:
    return {
        "id": text,
        "status": status,
        "fields": {"text": text},
        "suggestions": {"label": {"value": "wrong", "score": None}},
        "responses": {"label": responses} if responses else {},
    }


def test_of_records_of_argilla_2_the_answers_are_learnt_and_no_suggestions(there: Path) -> None:
    rows = [second_record(text, [answered(label)]) for text, label in LABELLED]
    rows += [
        second_record("Nobody answered this one.", [], "pending"),
        second_record("This one was thrown away.", [answered("a", "discarded")]),
        second_record("Two say different things here.", [answered("a"), answered("b")]),
        second_record("Two of three say the same.", [answered("a"), answered("b"), answered("a")]),
        second_record("A draft does not count here.", [answered("b"), answered("a", "draft")]),
    ]
    path = json_file(there / "a.json", rows)
    end = len(LABELLED)

    more = [("Two of three say the same.", "a"), ("A draft does not count here.", "b")]
    assert labels(understood(path)) == [*LABELLED, *more]
    assert set_aside(path) == {
        "not answered": [end],
        "discarded": [end + 1],
        "annotators disagree": [end + 2],
    }


def test_a_table_of_argilla_2_is_learnt_from_its_responses(there: Path) -> None:
    rows = [
        {
            "text": text,
            "status": "completed",
            "label.responses": ["wrong", label],
            "label.responses.users": ["u", "v"],
            "label.responses.status": ["draft", "submitted"],
            "label.suggestion": "wrong",
        }
        for text, label in LABELLED
    ]

    assert labels(understood(json_lines(there / "a.jsonl", rows))) == LABELLED


# Files for validation beside such a file


def test_a_file_in_which_no_row_has_several_labels_goes_with_one_in_which_some_have(there: Path) -> None:
    both = [
        {"text": text, "label": [label, "c"] if n % 2 else label} for n, (text, label) in enumerate(LABELLED)
    ]
    single = [{"text": f"Another text of number {n}.", "label": "ab"[n % 2]} for n in range(8)]
    train, valid = (
        json_file(there / "a.json", [min_row(n, **row) for n, row in enumerate(both)]),
        json_file(there / "b.json", [min_row(n, **row) for n, row in enumerate(single)]),
    )

    table = Table.join([read(train), read(valid)])

    assert table.values("label", [1, 12]) == [[LABELLED[1][1], "c"], ["a"]]


def test_rows_that_are_not_as_in_the_file_are_not_corrected_in_a_copy(there: Path) -> None:
    path = json_lines(
        there / "a.jsonl", [{"content": {"text": text}, "label": {"name": label}} for text, label in LABELLED]
    )
    ended = command("check", path.name, "--model", "none", "--fix", "empty")

    assert ended.code == 2
    assert "cannot be corrected in it" in ended.err
    assert sorted(file.name for file in there.iterdir()) == ["a.jsonl"]
