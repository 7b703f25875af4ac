"""What a run leaves below its scores: slices, mistakes with what they may come from, overfitting; and `predict --explain`."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import logsumexp

import luthier as package
from command import luthier
from luthier.errors import PlanError, RunError
from luthier.folder.nearest import SHOWN as NEAR
from luthier.steps.overfitted import MOST_POINTS, curve_of, thinned
from tiny import TINY, TINY_IMAGES, images_folder, messages

WITNESSES = Path(__file__).parents[1] / "witnesses" / "c4c58ac"


def with_columns(path: Path, rows: int) -> Path:
    """Messages from two channels, of which those that were called in have any label; and how many words they have."""
    random = np.random.default_rng(0)
    labels = ["delivery", "refund", "praise", "broken"]
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("text", "label", "channel", "size"))
        for text, label in messages(rows):
            called = random.random() < 0.3
            given = random.choice(labels) if called else label
            writer.writerow((text, given, "call" if called else "mail", len(text.split())))
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A probe on 900 messages."""
    home = tmp_path_factory.mktemp("looked-into")
    data, model = with_columns(home / "rows.csv", 900), TINY["bert"](home / "bert")
    package.tune(
        str(data), model=str(model), method="probe", precision="fp32", threads=1, out=str(home / "run"), quiet=True
    )  # fmt: skip
    return home / "run"


@pytest.fixture(scope="module")
def card(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "scorecard.json").read_text())
    return found


def answers(run: Path) -> list[dict[str, Any]]:
    """What the run answered to its test rows."""
    return [json.loads(line) for line in (run / "predictions" / "test.jsonl").read_text().splitlines()]


def given(run: Path) -> list[dict[str, str]]:
    """The rows of the file."""
    with open(run.parent / "rows.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


# Slices


@pytest.mark.slow
def test_the_slice_whose_labels_are_wrong_is_told_with_its_score(run: Path, card: dict[str, Any]) -> None:
    slices, rows = card["slices"]["slices"], given(run)
    right: dict[str, list[bool]] = {"mail": [], "call": []}
    for line in answers(run):
        right[rows[line["row"]]["channel"]].append(line["label"] == line["prediction"])

    assert card["slices"]["metric"] == "accuracy"
    assert {one["by"] for one in slices} >= {"length", "channel", "size"}
    (channel,) = [one for one in slices if one["by"] == "channel"]
    mine, other = right.pop(channel["name"]), next(iter(right.values()))
    assert channel["differs"]
    assert (channel["rows"], channel["value"]) == (len(mine), pytest.approx(np.mean(mine)))
    assert channel["difference"] == pytest.approx(np.mean(mine) - np.mean(other))
    assert all(one["p_holm"] >= one["p"] for one in slices)


@pytest.mark.slow
def test_what_was_found_is_told_in_report_card_and_at_the_end(run: Path) -> None:
    report, readme = ((run / name).read_text() for name in ("report.html", "README.md"))
    ended = luthier("resume", run)

    for text in (report, readme, ended.out):
        assert "where channel is" in text.replace("\u00a0", " ")
    assert ">Slices</h2>" in report
    assert ">Overfitting</h2>" in report
    told = report.partition('<section id="mistakes"')[2].partition("</section>")[0]
    assert ">Training rows like it</th>" in told
    assert report.count("<caption>The surest mistakes</caption>") == 1


# Mistakes


@pytest.mark.slow
def test_the_surest_mistakes_are_wrong_answers_the_surest_first(run: Path, card: dict[str, Any]) -> None:
    wrong = {line["row"]: line for line in answers(run) if line["label"] != line["prediction"]}
    found = card["mistakes"]

    assert found["wrong"] == len(wrong)
    surest = found["surest"]
    assert 0 < len(surest) <= 20
    sure = [wrong[one["row"]]["probabilities"][one["prediction"]] for one in surest]
    assert sure == sorted(sure, reverse=True)
    assert sure == [one["confidence"] for one in surest]
    assert all(len(one["text"]) <= 120 for one in surest)


@pytest.mark.slow
def test_a_mistake_has_its_nearest_training_rows_with_text_and_label(run: Path, card: dict[str, Any]) -> None:
    rows, asked = given(run), {line["row"] for line in answers(run)}

    for one in card["mistakes"]["surest"]:
        assert len(one["nearest"]) == NEAR
        likeness = [near["likeness"] for near in one["nearest"]]
        assert likeness == sorted(likeness, reverse=True)
        for near in one["nearest"]:
            own = rows[near["row"]]
            assert (near["text"], near["label"]) == (own["text"], own["label"])
            assert (near["file"], near["line"]) == ("rows.csv", near["row"] + 2)
            assert near["row"] not in asked


@pytest.mark.slow
def test_the_words_that_a_mistake_rests_on_weigh_what_leaving_them_out_changes(
    run: Path, card: dict[str, Any]
) -> None:
    folder, texts = package.load(run), {line["row"]: line["text"] for line in answers(run)}
    told = [one for one in card["mistakes"]["surest"] if one.get("pieces")]
    assert told

    one = told[0]
    text, label = texts[one["row"]], folder.task.known_labels.index(one["prediction"])
    for piece in one["pieces"]:
        less = text[: piece["start"]] + text[piece["end"] + (text[piece["end"]] == " ") :]
        whole, without = folder.logits([text, less]).astype(float)
        others = np.arange(len(whole)) != label
        change = (whole[label] - logsumexp(whole[others])) - (without[label] - logsumexp(without[others]))
        assert text[piece["start"] : piece["end"]] == piece["words"]
        assert piece["weight"] == pytest.approx(change, abs=2e-4)


# predict --explain


@pytest.mark.slow
def test_each_answer_comes_with_its_nearest_training_rows_and_its_words(run: Path, tmp_path: Path) -> None:
    data = tmp_path / "new.csv"
    data.write_text('text\nmy parcel was cracked\n""\nthanks\n')

    ended = luthier("predict", run, data, "--explain", "nearest,words")

    assert ended.code == 0, ended.err
    first, empty, short = map(json.loads, ended.out.splitlines())
    plain = package.load(run).predict(["my parcel was cracked"])[0]
    assert {key: first[key] for key in plain} == plain
    assert [one["words"] for one in first["words"]] == ["my", "parcel", "was", "cracked"]
    assert [near.keys() for near in first["nearest"]] == NEAR * [{"row", "file", "line", "label", "likeness"}]
    assert (empty["label"], empty["nearest"], empty["words"]) == (None, None, None)
    assert short["words"] == []


@pytest.mark.slow
def test_a_training_row_is_nearest_to_itself_whatever_limit_of_error_is_asked(run: Path) -> None:
    folder = package.load(run)
    known = folder.training_rows.known[:20]
    texts = [given(run)[one.row]["text"] for one in known]

    found = folder.predict(texts, error=0.3, explain=["nearest"])

    for text, line in zip(texts, found, strict=True):
        nearest = line["nearest"][0]
        assert nearest["likeness"] == pytest.approx(1, abs=2e-3)
        assert given(run)[nearest["row"]]["text"].lower().split() == text.lower().split()
        assert line["refer"] in (None, "uncertain", "unlike")


@pytest.mark.slow
def test_the_training_rows_are_kept_sealed_and_without_their_texts(run: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "run"))
    path = copy / "model" / "nearest.safetensors"

    assert "nearest.safetensors" in json.loads((copy / "model" / "luthier.json").read_text())["files"]
    assert b"parcel" not in path.read_bytes()
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(RunError, match="is damaged"):
        package.load(copy).predict(["a text"], explain=["nearest"])
    path.unlink()
    with pytest.raises(RunError, match="leave `nearest` out of --explain"):
        package.load(copy).predict(["a text"], explain=["nearest"])


def test_an_explanation_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(PlanError) as strange:
        package.load(WITNESSES / "text").predict(["a text"], explain=["word"])
    with pytest.raises(PlanError) as other:
        package.load(WITNESSES / "questions").predict([{"question": "a", "context": "b"}], explain=["words"])

    assert str(strange.value) == (
        "--explain word: there is no such explanation of text-classification. Did you mean 'words'? There is 'nearest', 'words'."
    )
    assert str(other.value) == (
        "--explain: answers of question-answering are not explained. Leave it out; labels and numbers have it."
    )


@pytest.mark.parametrize(
    ("name", "row", "pieces"),
    [
        ("text", "the parcel was lovely", [(0, "the"), (0, "parcel"), (0, "was"), (0, "lovely")]),
        ("number", "parcel lovely", [(0, "parcel"), (0, "lovely")]),
        ("pair", ("a parcel", "refund"), [(0, "a"), (0, "parcel"), (1, "refund")]),
    ],
)
def test_an_older_model_has_its_words(name: str, row: Any, pieces: list[tuple[int, str]]) -> None:
    found = package.load(WITNESSES / name).predict([row], explain="words")

    assert [(one["text"], one["words"]) for one in found[0]["words"]] == pieces
    assert all(np.isfinite(one["weight"]) for one in found[0]["words"])


# Overfitting


@pytest.mark.slow
def test_a_probe_is_compared_on_training_rows_as_it_was_before_it_learnt_from_the_others(
    card: dict[str, Any],
) -> None:
    found = card["overfitting"]

    assert found["course"] is None
    gap = found["gap"]
    assert gap["valid"]["rows"] == card["rows"]["valid"] == gap["train"]["rows"]
    kept = next(one for one in card["candidates"] if one["name"] == "probe")
    assert gap["valid"]["value"] == kept["valid"]
    assert gap["difference"] == pytest.approx(gap["train"]["value"] - gap["valid"]["value"])
    assert (found["claim"]["dearer"], found["claim"]["rows"]) == ("probe", card["rows"]["valid"])


def stepped(step: int, loss: float) -> dict[str, Any]:
    return {"event": "stepped", "candidate": "tuned", "step": step, "loss": loss}


def validated(step: int, score: float, best: bool = False) -> dict[str, Any]:
    told = {"epoch": step / 2, "score": score, "loss": 1 - score, "best": best}
    return {"event": "validated", "candidate": "tuned", "step": step, **told}


def test_a_curve_has_the_mean_training_loss_before_each_validation_and_counts_what_is_told_again_once() -> (
    None
):
    events = [
        stepped(1, 9.0),
        stepped(1, 1.0),
        stepped(2, 0.5),
        validated(2, 0.6, best=True),
        stepped(3, 0.4),
    ]
    events += [validated(3, 0.5), {"event": "stepped", "candidate": "scratch", "step": 3, "loss": 7.0}]

    found = curve_of(events)

    assert [(one["step"], one["train_loss"], one["score"], one["best"]) for one in found] == [
        (2, 0.75, 0.6, True),
        (3, 0.4, 0.5, False),
    ]


def test_of_a_long_curve_the_first_the_last_and_the_best_are_kept() -> None:
    curve = curve_of([validated(step, 0.5, best=step == 77) for step in range(1, 301)])

    found = thinned(curve)

    assert len(found) <= MOST_POINTS
    assert {1, 77, 300} <= {one["step"] for one in found}


# Images


@pytest.mark.slow
def test_mistaken_images_are_drawn_with_the_regions_that_the_answer_rests_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("luthier.steps.mistaken.SHARE", 1.0)
    photos = images_folder(tmp_path / "photos", 90)
    for at, path in enumerate(sorted(photos.glob("*/*.png"))):
        if at % 3 == 0:  # any label
            path.rename(photos / ("blue", "green", "red")[at % 2] / f"moved-{path.name}")
    model = TINY_IMAGES["vit"](tmp_path / "vit")

    run = package.tune(str(photos), model=str(model), method="probe", out=str(tmp_path / "run"), quiet=True)

    card = json.loads((run.path / "scorecard.json").read_text())
    told = [one for one in card["mistakes"]["surest"] if one.get("pieces")]
    assert told
    assert {"left", "top", "right", "bottom", "weight"} == told[0]["pieces"][0].keys()
    assert (run.path / "mistakes.jpg").read_bytes()[:2] == b"\xff\xd8"
    assert "the regions coloured" in (run.path / "report.html").read_text()
    found = run.predict([str(next(photos.glob("*/*.png")))], explain=["regions"])
    assert len(found[0]["regions"]) == 36
