"""A judged model of each task gives what its own library gives: tags, answers, numbers, several labels, images, next tokens."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from seqeval.metrics import f1_score as entity_f1
from sklearn.metrics import f1_score
from torch.nn import functional

import luthier
from command import luthier as command
from judgements import judged, lines, refused
from luthier.models.quiet import quiet
from tiny import (
    ABOUT,
    TINY_IMAGES,
    documents_jsonl,
    images_folder,
    likened_jsonl,
    messages,
    messages_csv,
    numbers_jsonl,
    pairs_jsonl,
    questions_jsonl,
    tagged_jsonl,
    write_jsonl,
)
from tiny_llamas import byte_level, llama
from tuned_elsewhere import headed, logits_of, rows_model


def rows_of(data: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.read_text().splitlines()]


def compared(found: dict[str, Any]) -> list[str]:
    return [one["name"] for one in found["candidates"]]


def test_of_two_texts_and_several_labels_the_probabilities_are_those_of_transformers(tmp_path: Path) -> None:
    model, data = (
        rows_model(tmp_path / "m", ("contradicts", "follows")),
        pairs_jsonl(tmp_path / "pairs.jsonl", 20),
    )

    found = judged(model, data, tmp_path / "out")

    pairs = [(row["premise"], row["hypothesis"]) for row in rows_of(data)]
    expected = logits_of(model, pairs).softmax(-1).numpy()
    given = [list(line["probabilities"].values()) for line in lines(tmp_path / "out")]
    assert found["task"] == "pair-classification"
    np.testing.assert_allclose(given, expected, atol=2e-6)


def test_where_rows_may_have_several_labels_each_counts_from_a_half_on(tmp_path: Path) -> None:
    labels = tuple(ABOUT)
    model = rows_model(tmp_path / "m", labels, problem_type="multi_label_classification")
    texts = [text for text, _ in messages(24)]
    tagged = [[label for at, label in enumerate(labels) if row >> at & 1] or ["praise"] for row in range(24)]
    data = write_jsonl(
        tmp_path / "r.jsonl", [{"text": t, "labels": own} for t, own in zip(texts, tagged, strict=True)]
    )

    found = judged(model, data, tmp_path / "out", by_hand=True)

    chosen = logits_of(model, texts).sigmoid().numpy() > 0.5
    right = np.array([[label in own for label in labels] for own in tagged])
    assert (found["multi_label"], found["task"]) == (True, "text-classification")
    assert compared(found) == ["majority", "tf-idf", "tuned"]
    assert found["test"]["macro_f1"]["value"] == pytest.approx(
        f1_score(right, chosen, average="macro", zero_division=0)
    )
    assert found["test"]["accuracy"]["value"] == pytest.approx((chosen == right).all(1).mean())


@pytest.mark.parametrize("make", [numbers_jsonl, likened_jsonl])
def test_numbers_are_those_of_transformers_and_come_with_intervals_of_other_rows(
    make: Any, tmp_path: Path
) -> None:
    model = rows_model(tmp_path / "m", ("LABEL_0",), problem_type="regression")
    data = make(tmp_path / "rows.jsonl", 30)
    texts = [row["text"] if "text" in row else (row["sentence1"], row["sentence2"]) for row in rows_of(data)]

    found = judged(model, data, tmp_path / "out", by_hand=True)

    expected = logits_of(model, texts)[:, 0].numpy()
    right = np.array([row["score"] for row in rows_of(data)])
    np.testing.assert_allclose([line["prediction"] for line in lines(tmp_path / "out")], expected, atol=1e-5)
    assert found["task"] == "regression"
    assert compared(found) == ["mean", "tf-idf", "tuned"]
    assert found["test"]["mae"]["value"] == pytest.approx(np.abs(expected - right).mean(), abs=1e-4)
    assert 0.5 < found["calibration"]["coverage"] <= 1
    assert found["calibration"]["folds"] == 5


def test_no_coverage_is_told_where_each_fold_has_too_few_rows_for_an_interval(tmp_path: Path) -> None:
    """Ten rows are enough for an interval that holds 90 %, and the eight that a fold learns from are not."""
    model = rows_model(tmp_path / "m", ("LABEL_0",), problem_type="regression")

    found = judged(model, numbers_jsonl(tmp_path / "rows.jsonl", 10), tmp_path / "out")

    assert found["calibration"]["margin"] > 0
    assert found["calibration"]["coverage"] is None


def test_entities_are_those_that_seqeval_counts_whatever_the_order_of_the_tags(tmp_path: Path) -> None:
    names = [
        "I-refund",
        "O",
        *(f"{mark}-{kind}" for kind in ABOUT for mark in "BI" if (mark, kind) != ("I", "refund")),
    ]
    model, data = (
        headed(tmp_path / "m", "TokenClassification", names),
        tagged_jsonl(tmp_path / "rows.jsonl", 30),
    )

    found = judged(model, data, tmp_path / "out")

    said = []
    for row in rows_of(data):
        from transformers import AutoModelForTokenClassification, AutoTokenizer

        with quiet(), torch.no_grad():
            tokenizer = AutoTokenizer.from_pretrained(model)
            read = tokenizer(row["tokens"], is_split_into_words=True, return_tensors="pt")
            logits = AutoModelForTokenClassification.from_pretrained(model).eval()(**read).logits[0]
        words = read.word_ids()
        first = [words.index(word) for word in range(len(row["tokens"]))]
        said.append([names[at] for at in logits.argmax(-1)[first].tolist()])
    right = [row["tags"] for row in rows_of(data)]
    assert found["task"] == "token-classification"
    assert found["test"]["f1"]["value"] == pytest.approx(entity_f1(right, said), abs=1e-9)
    same = [
        one == other
        for own, given in zip(right, said, strict=True)
        for one, other in zip(own, given, strict=True)
    ]
    assert found["test"]["accuracy"]["value"] == pytest.approx(np.mean(same), abs=1e-9)


def test_tags_without_a_mark_are_refused_with_what_mends_it(tmp_path: Path) -> None:
    model = headed(tmp_path / "m", "TokenClassification", ("O", "LOC"))

    told = refused(model, tagged_jsonl(tmp_path / "rows.jsonl", 8))

    assert told.startswith(
        "BertForTokenClassification with 2 labels: its outputs are called 'LOC', and expected are O, and B- or I-"
    )
    assert told.endswith("--label-names O,B-LOC,I-LOC")


@pytest.mark.parametrize("answerable", [True, False])
def test_answers_are_the_likeliest_spans_and_none_is_left_out_where_every_question_has_one(
    answerable: bool, tmp_path: Path
) -> None:
    from transformers import AutoModelForQuestionAnswering, AutoTokenizer

    model = headed(tmp_path / "m", "QuestionAnswering")
    rows = [
        row
        for row in rows_of(questions_jsonl(tmp_path / "all.jsonl", 30))
        if row["answers"]["text"] or not answerable
    ]
    found = judged(model, write_jsonl(tmp_path / "rows.jsonl", rows), tmp_path / "out")

    with quiet(), torch.no_grad():
        tokenizer = AutoTokenizer.from_pretrained(model)
        reads = AutoModelForQuestionAnswering.from_pretrained(model).eval()
        for row, line in zip(rows, lines(tmp_path / "out"), strict=True):
            inputs = tokenizer(
                row["question"], row["context"], return_offsets_mapping=True, return_tensors="pt"
            )
            places, of = inputs.pop("offset_mapping")[0].tolist(), inputs.sequence_ids()
            given = reads(**inputs)
            start, end = given.start_logits[0], given.end_logits[0]
            inside = [at for at, which in enumerate(of) if which == 1]
            score, first, last = max(
                (float(start[a] + end[b]), a, b) for a in inside for b in inside if a <= b
            )
            silent = not answerable and float(start[0] + end[0]) > score
            assert line["prediction"] == (
                "" if silent else row["context"][places[first][0] : places[last][1]]
            )
    assert found["task"] == "question-answering"


def test_an_image_has_the_label_that_transformers_gives_it(tmp_path: Path) -> None:
    from PIL import Image
    from transformers import AutoImageProcessor, AutoModelForImageClassification

    model = TINY_IMAGES["vit"](tmp_path / "vit")
    config = json.loads((model / "config.json").read_text())
    names = ("green", "red", "blue")
    with quiet(), torch.random.fork_rng():
        torch.manual_seed(1)
        own = AutoModelForImageClassification.from_pretrained(
            model, num_labels=3, id2label=dict(enumerate(names)), ignore_mismatched_sizes=True
        )
        own.save_pretrained(model)
    data = images_folder(tmp_path / "images", 18)

    found = judged(model, data, tmp_path / "out", by_hand=True)

    processor = AutoImageProcessor.from_pretrained(model)
    assert (found["task"], config["model_type"]) == ("image-classification", "vit")
    assert compared(found) == ["majority", "colours", "tuned"]
    for line in lines(tmp_path / "out"):
        with quiet(), torch.no_grad():
            pixels = processor(Image.open(data / line["text"]).convert("RGB"), return_tensors="pt")
            expected = own.eval()(**pixels).logits[0].softmax(-1)
        given = [line["probabilities"][name] for name in names]
        np.testing.assert_allclose(given, expected, atol=1e-3)


def test_texts_are_as_likely_as_transformers_finds_them(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = llama(tmp_path / "llama", byte_level(), max_position_embeddings=512, initializer_range=0.05)
    data = documents_jsonl(tmp_path / "texts.jsonl", 12)

    found = judged(model, data, tmp_path / "out", "--base", model)

    with quiet(), torch.no_grad():
        tokenizer, whole = (
            AutoTokenizer.from_pretrained(model),
            AutoModelForCausalLM.from_pretrained(model).eval(),
        )
        losses, counts = [], []
        for line in lines(tmp_path / "out"):
            ids = torch.tensor([[*tokenizer(line["text"]).input_ids, tokenizer.eos_token_id]])
            logits = whole(input_ids=ids).logits[0, :-1]
            losses.append(float(functional.cross_entropy(logits, ids[0, 1:], reduction="mean")))
            counts.append(ids.shape[1] - 1)
    assert found["task"] == "adaptation"
    assert [one["name"] for one in found["candidates"]] == ["untouched", "tuned"]
    assert found["test"]["perplexity"]["value"] == pytest.approx(
        np.exp(found["test"]["loss"]["value"]), rel=1e-6
    )
    assert found["test"]["loss"]["value"] == pytest.approx(np.average(losses, weights=counts), rel=1e-5)
    assert found["verdict"]["ship"] is False  # it is no better than itself


def test_a_gguf_file_is_judged_as_the_language_model_that_it_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tiny_gguf import tiny_llama, write_gguf

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_gguf(tmp_path / "tiny.gguf", tiny_llama(max_position_embeddings=512))

    found = judged(tmp_path / "tiny.gguf", documents_jsonl(tmp_path / "texts.jsonl", 8), tmp_path / "out")

    assert (found["task"], found["rows"]["test"]) == ("adaptation", 8)
    assert found["test"]["perplexity"]["value"] == pytest.approx(
        np.exp(found["test"]["loss"]["value"]), rel=1e-6
    )
    assert "nothing to compare that with" in found["verdict"]["words"]


def test_a_conversation_is_answered_by_a_model_that_was_tuned_elsewhere(tmp_path: Path) -> None:
    from tiny_chats import chatting, talks, write_rows

    model = chatting(tmp_path / "llama")

    found = judged(
        model, write_rows(tmp_path / "talks.jsonl", talks(12)), tmp_path / "out", "--max-tokens", 4
    )

    assert (found["task"], found["rows"]["test"]) == ("chat", 12)
    assert found["metric"] in found["test"]
    # Nothing that stands beside a language model learns from rows, so none is told to.
    assert found["judged"]["folds"] == 0
    assert not any("--train" in told for told in found["judged"]["understood"])


def test_a_run_on_its_own_test_file_has_the_scores_of_its_scorecard(
    sentence_bert: Path, tmp_path: Path
) -> None:
    train, test = messages_csv(tmp_path / "train.csv", 80), messages_csv(tmp_path / "test.csv", 40, seed=9)
    run = luthier.tune(
        str(train),
        model=str(sentence_bert),
        method="probe",
        test=str(test),
        out=str(tmp_path / "run"),
        quiet=True,
    )

    found = judged(run.path, test, tmp_path / "verdict")

    own = run.scorecard.record
    for name, estimate in own["test"].items():
        assert found["test"][name]["value"] == pytest.approx(estimate["value"], abs=1e-5)
    assert found["calibration"]["temperature"] == own["calibration"]["temperature"]
    assert found["calibration"]["part"] == "run"
    assert command("verdict", tmp_path / "verdict").code in (0, 3)
