"""The report and the model card are made from the JSON records of a run, and from nothing else."""

import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from luthier.errors import RunError
from luthier.report import charts, drawing, forgetting_pictures
from luthier.report.card import model_card
from luthier.report.markup import Html
from luthier.report.page import SECTIONS, write_report
from luthier.report.records import read_records

EVIL = "<script>alert('1')</script>"
LABELS = ["neg", "po$s$ & \x07 日本", EVIL]

SCORECARD: dict[str, Any] = {
    "task": "text-classification",
    "model": "all-MiniLM-L6-v2",
    "model_format": "sentence-transformers",
    "method": "auto",
    "seed": 0,
    "rows": {"train": 6420, "valid": 872, "calibration": 500, "test": 1821},
    "metric": "accuracy",
    "test": {
        "accuracy": {"value": 0.892, "low": 0.878, "high": 0.906},
        "macro_f1": {"value": 0.891, "low": 0.877, "high": 0.905},
    },
    "candidates": [
        {"name": "majority", "valid": 0.509, "test": 0.499, "seconds": 0.0},
        {"name": "zero-shot", "valid": 0.66, "test": 0.65, "seconds": 3.1},
        {"name": "probe", "valid": 0.81, "test": 0.812, "seconds": 9.9, "test_low": 0.794, "test_high": 0.83},
        {"name": "tuned", "valid": 0.889, "test": 0.892, "seconds": 74.0},
    ],
    "chosen": "tuned",
    "verdict": {"ship": True, "against": "zero-shot", "difference": 0.242, "low": 0.219, "high": 0.265},
    "worth": {"dearer": "tuned", "cheaper": "probe", "difference": 0.08, "low": 0.063, "high": 0.097},
    "calibration": {"temperature": 1.31, "ece_before": 0.041, "ece_after": 0.012},
    "forgetting": {
        "kl_to_base": 0.04,
        "rows": 512,
        "feature_cosine": 0.97,
        "drift": [{"rung": "embeddings", "cka": 0.999}, {"rung": "block 0", "cka": 0.8}],
        "general": {
            "rows": 200,
            "probe_before": 0.85,
            "probe_after": 0.8,
            "change": -0.05,
            "low": -0.1,
            "high": 0.0,
        },
        "words": "Little was forgotten.",
    },
    "machine": {"device": "cpu", "precision": "fp32"},
    "cost": {
        "seconds": {"read": 0.2, "train": 61.0, "total": 81.4},
        "peak_bytes": 1932735283,
        "tokens": 323116,
        "tokens_per_second": 5297,
    },
    "labels": LABELS,
    "multi_label": False,
    "per_class": [
        {"label": label, "precision": 0.9, "recall": 0.8, "f1": f1, "support": 607}
        for label, f1 in zip(LABELS, (0.9, 0.7, 0.8), strict=True)
    ],
    "confusion": [[600, 7, 0], [3, 598, 6], [0, 0, 607]],
    "reliability": {
        side: [
            {"low": 0.0, "high": 0.5, "count": 0, "confidence": None, "accuracy": None},
            {"low": 0.5, "high": 1.0, "count": 1821, "confidence": 0.9, "accuracy": 0.89},
        ]
        for side in ("before", "after")
    },
    "trust": {
        "part": "calibration",
        "rows": 500,
        "certainty": 0.95,
        "limits": [
            {"error": 0.01, "above": None, "answered": 0.0, "test_answered": 0.0, "test_wrong": None},
            {"error": 0.05, "above": 0.83, "answered": 0.7, "test_answered": 0.72, "test_wrong": 0.031},
        ],
        "sets": {"wanted": 0.9, "coverage": 0.91, "mean_size": 1.21, "by_label": True, "single": 0.8},
        "alarm": {"level": 0.01, "stream": 0.01, "rows": 1000, "references": 500, "test_unlike": 0.012},
    },
    "slices": {
        "metric": "accuracy",
        "slices": [
            {
                "by": "channel",
                "name": EVIL,
                "rows": 43,
                "value": 0.71,
                "low": 0.56,
                "high": 0.83,
                "difference": -0.14,
                "difference_low": -0.25,
                "difference_high": -0.04,
                "p": 0.0004,
                "p_holm": 0.009,
                "differs": True,
            }
        ],
    },
    "mistakes": {
        "wrong": 2,
        "known": 1000,
        "unit": "in log-odds",
        "surest": [
            {
                "row": 1,
                "file": "reviews.csv",
                "line": 2,
                "text": EVIL,
                "label": EVIL,
                "prediction": "neg",
                "confidence": 0.97,
                "nearest": [
                    {"row": 8, "file": "r.csv", "line": 9, "text": EVIL, "label": EVIL, "likeness": 0.9}
                ],
                "pieces": [{"text": 0, "start": 1, "end": 7, "words": EVIL, "weight": -1.25}],
            }
        ],
    },
    "continued": {
        "run": "runs/round-1",
        "round": 2,
        "known": 9000,
        "new": 20,
        "looks": 1,
        "rounds": [
            {"run": "runs/round-1", "rows": 6400, "value": 0.88, "low": 0.87, "high": 0.89},
            {"run": "runs/round-2", "rows": 6420, "value": 0.892, "low": 0.878, "high": 0.906},
        ],
        "trained_at": 6420,
        "brought": {
            "rows": 1821,
            "answered_differently": 30,
            "before": 0.88,
            "after": 0.892,
            "difference": 0.012,
            "low": -0.001,
            "high": 0.025,
            "confidence": 0.975,
            "any_look": True,
            "look": 1,
            "outcome": "no difference",
        },
        "forecast": {"labels": 20, "value": 0.9, "low": 0.89, "high": 0.91},
        "words": ["The 20 new labels brought accuracy from 88.0 % to 89.2 %."],
    },
    "distillation": {
        "run": "runs/teacher",
        "teacher": {"score": 0.93, "low": 0.91, "high": 0.95, "bytes": 91_000_000, "rows_per_second": 280.0},
        "student": {
            "score": 0.892,
            "low": 0.878,
            "high": 0.906,
            "bytes": 32_000_000,
            "rows_per_second": 29_000.0,
        },
        "difference": -0.038,
        "low": -0.05,
        "high": -0.026,
        "share": 0.959,
        "faster": 103.6,
        "smaller": 2.8,
        "rows": {"labelled": 6420, "unlabelled": 1200},
        "teacher_share": 0.5,
        "seen": 0,
        "seen_words": "runs/teacher has seen none of the 1,821 test rows.",
        "words": "The student has 95.9 % of its teacher's accuracy.",
    },
    "overfitting": {
        "gap": {
            "metric": "accuracy",
            "train": {"rows": 872, "value": 0.97, "low": 0.96, "high": 0.98},
            "valid": {"rows": 872, "value": 0.889, "low": 0.87, "high": 0.91},
            "difference": 0.081,
            "low": 0.05,
            "high": 0.11,
        },
        "course": {
            "candidate": "tuned",
            "steps": 3,
            "planned": 4,
            "best_step": 2,
            "why": "patience",
            "epochs": 1.5,
            "planned_epochs": 2,
            "best_epoch": 1.0,
            "curve": [
                {"step": 2, "epoch": 1.0, "score": 0.88, "loss": 0.3, "train_loss": 0.75, "best": True}
            ],
        },
        "claim": None,
    },
    "tuning": {"lr": 1e-4, "batch_rows": 16, "epochs": 2, "tuned": {"steps": 3, "why": "patience"}},
    "left_out": {"empty": 3, "single": 1},
    "scatter": [[1.0, 1.5], [2.0, 1.8], [4.0, 3.6]],
    "answers": {"right": 3, "wrong": 1},
    "written": {"rows": 40, "cut_at_length": 2, "most_tokens": 64},
    "samples": [
        {
            "file": "chats.jsonl",
            "line": 7,
            "text": EVIL,
            "right": EVIL,
            "answers": {
                "tuned": {"text": f"{EVIL}\nand more", "finish": "length"},
                "untouched": {"text": EVIL, "finish": "stop"},
            },
        }
    ],
    "system": f"Be short. {EVIL}",
    "seeds": {
        "n": 2,
        "seeds": [0, 1],
        "kept": 0,
        "valid": {"mean": 0.885, "sd": 0.004, "values": [0.889, 0.881]},
        "test": {"mean": 0.89, "sd": 0.003, "values": [0.892, 0.888]},
    },
    "keeping": {
        "points": [
            {"way": "wise-ft", "alpha": 1.0, "score": 0.889, "kl": 0.2, "near": True},
            {"way": "wise-ft", "alpha": 0.5, "score": 0.887, "kl": 0.05, "near": True},
            {"way": "lines", "alpha": 0.0, "score": 0.81, "kl": 0.01, "near": False},
        ],
        "kept": 1,
        "metric": "accuracy",
        "words": "Kept is half of it.",
    },
    "long": {"rows": 12, "tokens": 3400, "limit": 256, "way": "cut"},
    "warnings": ["Few rows."],
    "versions": {"torch": "2.10.0"},
}
NEEDED = ("metric", "test", "candidates", "chosen")


def stepped(step: int, loss: float) -> dict[str, Any]:
    return {
        "event": "stepped",
        "candidate": "tuned",
        "step": step,
        "epoch": step / 2,
        "loss": loss,
        "lr": 1e-4,
    }


def make_run(run: Path, **changes: Any) -> Path:
    """A run's folder with every record; `changes` replace keys of the scorecard, None takes one away."""
    (run / "predictions").mkdir(parents=True)
    scorecard = {key: value for key, value in {**SCORECARD, **changes}.items() if value is not None}
    events = [{"event": "started", "step_name": "features"}, *[stepped(n, 1 / n) for n in (1, 2, 3)]]
    events += [
        {
            "event": "validated",
            "candidate": "tuned",
            "step": 2,
            "metric": "accuracy",
            "score": 0.88,
            "loss": 0.3,
        }
    ]
    answers = [
        answer("neg", 0.6, row=0), answer("neg", 0.9, label="neg", row=2), answer("neg", 0.97), answer("neg", 0.7, row=3),
    ]  # fmt: skip
    for name, value in {
        "scorecard.json": scorecard,
        "table.json": {
            "files": [{"name": "reviews.csv", "rows": 9617}],
            "rows": 9617,
            "columns": ["text", "label"],
            "text": "text",
            "label": "label",
            "fingerprint": "9f86d081",
        },
        "split.json": {**SCORECARD["rows"], "how": "stratified", "seed": 0, "warnings": []},
        "findings.json": [
            {
                "check": "leaks",
                "severity": "stop",
                "count": 7,
                "share": 0.001,
                "rows": [{"file": "reviews.csv", "row": 4, "text": EVIL}],
                "message": EVIL,
                "mend": "Drop them.",
            },
        ],
    }.items():
        (run / name).write_text(json.dumps(value))
    (run / "events.jsonl").write_text("\n".join(map(json.dumps, events)) + '\n{"event": "step')
    (run / "predictions/test.jsonl").write_text("\n".join(map(json.dumps, answers)))
    (run / "plan.toml").write_text(f'[data]\npath = "{EVIL}"\n')
    return run


def answer(prediction: str, sure: float, label: str = EVIL, row: int = 1) -> dict[str, Any]:
    text = f"{EVIL} said {sure} times " + "and on " * 100
    place = {"row": row, "file": "reviews.csv", "line": 2}
    return {
        **place,
        "text": text,
        "label": label,
        "prediction": prediction,
        "probabilities": {prediction: sure},
    }


def report_of(run: Path) -> str:
    """The page, with plain spaces for those at which no line may end."""
    return write_report(run).read_text(encoding="utf-8").replace("\u00a0", " ")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The report of a run with every record."""
    return report_of(make_run(tmp_path_factory.mktemp("whole") / "run"))


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the drawing out, where a test is not about it."""
    for module in (charts, forgetting_pictures):
        monkeypatch.setattr(module, "drawing", lambda *_: Html("<svg></svg>"))


class Tags(HTMLParser):
    """The tags of a page: whether they are balanced, and their attributes."""

    VOID = ("meta", "br", "link")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_verdict_comes_first_in_words_a_manager_reads(page: str) -> None:
    text = re.sub(r"<[^>]+>", " ", page.partition('<section id="verdict"')[2].partition("<svg")[0])
    for words in (
        "Ship it.",
        "The tuned model reaches 89.2 % accuracy on rows it has never seen: "
        "24.2 points better than the zero-shot model, the best candidate for which nothing was trained.",
        "With 95 % confidence the true difference to the zero-shot model lies between +21.9 and +26.5",
        "Even the low end of the interval is a gain: this is not luck of the test rows.",
        "The tuned model (1 min 14 s) is 8.0 points better than the probe (9.9 s).",
    ):
        assert words in text
    assert page.index('id="verdict"') < page.index('id="scores"')


def test_a_model_within_the_noise_of_its_baseline_is_not_to_be_shipped(
    tmp_path: Path, no_pictures: None
) -> None:
    verdict = {"ship": False, "against": "majority", "difference": 0.004, "low": -0.011, "high": 0.019}
    page = report_of(make_run(tmp_path / "run", verdict=verdict))
    assert "Do not ship it." in page
    assert "lies between −1.1 and +1.9 points. The interval holds zero" in page


def test_recorded_words_of_the_verdict_are_kept(tmp_path: Path, no_pictures: None) -> None:
    words = "Do not ship it yet. Label <more> rows."
    page = report_of(make_run(tmp_path / "run", verdict={"ship": False, "words": words}))
    assert '<p class="headline">Do not ship it yet.</p><p class="lead">Label &lt;more&gt; rows.</p>' in page


def test_a_student_stands_beside_its_teacher(page: str) -> None:
    assert "It learnt from 6,420 rows, of each 50" in page
    assert "from 1,200 rows without a label the answer alone." in page
    rows = re.findall(r"<th[^>]*>(teacher|student|Difference)</th>.*?</tr>", page, re.DOTALL)
    assert rows == ["teacher", "student", "Difference"]
    assert "runs/teacher has seen none of the 1,821 test rows." in page


def test_every_record_has_its_section_and_every_section_its_record(page: str) -> None:
    titles = re.findall(r'<h2 id="[a-z-]+-title">([^<]+)</h2>', page)
    assert titles == list(SECTIONS)


def test_what_comes_from_the_data_is_escaped(page: str) -> None:
    assert "<script" not in page
    assert page.count("&lt;script&gt;") > 10


def test_the_page_needs_nothing_from_outside(page: str) -> None:
    assert not re.search(r"https?:|//[a-z]|@import|url\((?!#)|<link|<img|<iframe", page)
    assert all(value.startswith("#") for _, held in Tags(page).found if (value := held.get("href")))


def test_the_page_is_well_formed_and_its_ids_are_unique_and_found(page: str) -> None:
    tags = Tags(page)
    assert tags.open == []
    ids = Counter(held["id"] for _, held in tags.found if "id" in held)
    assert max(ids.values()) == 1
    named = re.findall(r'(?:href="#|url\(#|aria-labelledby="|aria-describedby=")([^")]+)', page)
    assert named
    assert set(named) <= set(ids)


def test_pictures_have_a_description_tables_a_caption_and_rows_a_head(page: str) -> None:
    tags = Tags(page).found
    pictures = [held for tag, held in tags if tag == "svg" and held.get("aria-hidden") != "true"]
    ids = {held["id"] for _, held in tags if "id" in held}
    assert len(pictures) == 7
    assert all(held["role"] == "img" for held in pictures)
    assert all({held["aria-labelledby"], held["aria-describedby"]} <= ids for held in pictures)
    count = Counter(tag for tag, _ in tags)
    assert count["table"] == count["caption"] == count["thead"]
    assert all(held.get("scope") in ("col", "row") for tag, held in tags if tag == "th")


def test_the_same_records_give_the_same_bytes(tmp_path: Path, page: str) -> None:
    assert report_of(make_run(tmp_path / "another name")) == page


def test_pictures_take_their_colours_from_the_page(page: str) -> None:
    drawn = "".join(re.findall(r"<svg.*?</svg>", page, re.DOTALL))
    assert not re.search(r"(fill|stroke): #", drawn)
    light, _ = colours()
    assert light.items() >= drawing.COLOURS.items()


def colours() -> tuple[dict[str, str], dict[str, str]]:
    """The colours of style.css, light and dark."""
    css = Path(drawing.__file__).with_name("style.css").read_text()
    blocks = re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    light, dark = (dict(re.findall(r"(--[a-z]+): (#[0-9a-f]{6})", block)) for block in blocks)
    return light, dark


def contrast(one: str, other: str) -> float:
    """Contrast of two colours as WCAG 2.1 defines it, in [1, 21]."""

    def luminance(colour: str) -> float:
        parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(("ink", "paper"), [("ink", "paper"), ("muted", "paper"), ("accent", "paper"),
                                            ("accent", "tint"), ("ink", "raised")])  # fmt: skip
def test_text_can_be_read_in_light_and_in_dark(ink: str, paper: str) -> None:
    for theme in colours():
        assert contrast(theme[f"--{ink}"], theme[f"--{paper}"]) >= 4.5


def test_the_surest_mistakes_come_first_and_right_answers_not_at_all(page: str) -> None:
    told = page.partition('<section id="mistakes"')[2].partition("</section>")[0]
    assert re.findall(r"said ([\d.]+) times", told) == ["0.97", "0.7", "0.6"]
    assert "Answered wrongly: 3 test rows." in told
    longest = max(re.findall(r'<th scope="row" class="wide">(.*?)<small>', told), key=len)
    assert len(longest.replace("&lt;", "<").replace("&gt;", ">").replace("&#x27;", "'")) <= 300


def test_a_mistake_stands_once_beside_what_it_rests_on_and_the_training_rows_like_it(page: str) -> None:
    told = page.partition('<section id="mistakes"')[2].partition("</section>")[0]
    heads, *rows = re.findall(r"<tr>(.*?)</tr>", told, re.DOTALL)

    assert re.findall(r"<th[^>]*>(.*?)</th>", heads) == [
        "Text", "Answered", "What the answer rests on", "Training rows like it",
    ]  # fmt: skip
    assert page.count("<caption>The surest mistakes</caption>") == 1
    assert len(rows) == 3
    assert "−1.25<small>in log-odds</small>" in rows[0]
    assert "likeness 0.900, r.csv, line 9" in rows[0]
    assert rows[1].count("–") == 2  # of which nothing more is known


@pytest.mark.parametrize(
    ("valid_from", "title", "parts"),
    [
        (None, "Validation", {"train": "37.5 %", "valid": "37.5 %", "test": "25.0 %"}),
        ("cross-validation", "Cross-validation", {"train": "60.0 %", "test": "40.0 %"}),
        ("train", None, {"train": "60.0 %", "test": "40.0 %"}),
    ],
)
def test_what_stands_in_the_place_of_validation_rows_is_told_and_counted_once(
    tmp_path: Path, no_pictures: None, valid_from: str | None, title: str | None, parts: dict[str, str]
) -> None:
    rows = {"train": 60, "valid": 60, "calibration": 0, "test": 40}
    run = make_run(tmp_path / "run", valid_from=valid_from, rows=rows)
    (run / "split.json").unlink()
    page = report_of(run)

    shares = re.findall(
        r">(train|valid|test)<small>[^<]*</small></th><td[^>]*>\d+</td><td[^>]*>([^<]*)</td>", page
    )
    assert {part: share.replace("\u00a0", " ") for part, share in shares} == parts
    assert (f">{title}</th>" in page) == (title is not None)
    assert (">Validation</th>" in page) == (valid_from is None)


def test_with_several_labels_a_row_the_surest_wrong_one_counts(tmp_path: Path, no_pictures: None) -> None:
    run = make_run(tmp_path / "run", multi_label=True, confusion=None)
    probabilities = {"a": 0.9, "b": 0.8, "c": 0.3}
    row = {
        "row": 0,
        "text": "x",
        "label": ["a", "c"],
        "prediction": ["a", "b"],
        "probabilities": probabilities,
    }
    (run / "predictions/test.jsonl").write_text(json.dumps(row))
    page = report_of(run)
    assert "a, b<small>80.0 % sure; given: a, c</small>" in page
    assert 'id="confusions"' not in page


def test_more_classes_than_a_map_can_show_are_listed(tmp_path: Path, no_pictures: None) -> None:
    size = 26
    confusion = [
        [10 if row == column else row % 3 if column == row - 1 else 0 for column in range(size)]
        for row in range(size)
    ]
    page = report_of(make_run(tmp_path / "run", labels=[f"c{n}" for n in range(size)], confusion=confusion))
    told = page.partition('<section id="confusions"')[2].partition("</section>")[0]
    assert "A map of 26 classes cannot be read; these are the most frequent confusions." in told
    assert told.count('<th scope="row">') == 17  # those that occur at all
    assert "<svg" not in told


def test_a_step_told_twice_by_a_resumed_run_counts_once(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    (run / "events.jsonl").write_text("\n".join(json.dumps(stepped(n, 1.0)) for n in (1, 2, 3, 2, 3, 4)))
    assert [event.step for event in read_records(run).steps] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "name", ["table.json", "split.json", "findings.json", "events.jsonl", "plan.toml", "predictions"]
)
def test_a_record_that_is_missing_leaves_its_section_out(
    name: str, tmp_path: Path, no_pictures: None
) -> None:
    run = make_run(tmp_path / "run")
    shutil.rmtree(run / name) if (run / name).is_dir() else (run / name).unlink()
    assert "Ship it." in report_of(run)
    assert "Ship it." in model_card(read_records(run))


@pytest.mark.parametrize("key", sorted(set(SCORECARD) - set(NEEDED)))
@pytest.mark.parametrize("there", [True, False], ids=["null", "missing"])
def test_a_key_that_is_missing_leaves_its_part_out(
    key: str, there: bool, tmp_path: Path, no_pictures: None
) -> None:
    run = make_run(tmp_path / "run", **{key: None})
    if there:
        scorecard = json.loads((run / "scorecard.json").read_text())
        (run / "scorecard.json").write_text(json.dumps({**scorecard, key: None}))
    assert "89.2 %" in report_of(run)
    assert "89.2 %" in model_card(read_records(run))


def test_a_scorecard_alone_makes_a_report(tmp_path: Path) -> None:
    (tmp_path / "scorecard.json").write_text(json.dumps({key: SCORECARD[key] for key in NEEDED}))
    page = report_of(tmp_path)
    assert re.findall(r'<section id="([a-z-]+)"', page) == ["verdict", "scores", "how-to-use-it"]
    assert "Measured, not judged." in page
    assert "None" not in page


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("findings.json", '[{"check": ', "findings.json: is not valid JSON"),
        ("findings.json", "[" * 100_000, "findings.json: is nested too deeply"),
        ("findings.json", '[{"count": "7"}]', "findings.json, finding 1: 'count' is \"7\""),
        ("table.json", "[]", "table.json: expected a JSON object, found a list"),
        ("split.json", '{"train": NaN}', "split.json: 'train' is NaN"),
        ("events.jsonl", '5\n{"event": "noted"}\n', "events.jsonl, line 1: expected a JSON object, found 5"),
        (
            "events.jsonl",
            '{"event": "stepped"}\n',
            "events.jsonl, line 1: 'step' is missing, or no whole number.",
        ),
        ("predictions/test.jsonl", '{"label": {"a": 1}}\n', "test.jsonl, line 1: 'label"),
        (
            "predictions/test.jsonl",
            '{"label": "a", "probabilities": {"a": "x"}}\n',
            "'probabilities.a' is \"x\"",
        ),
        ("predictions/test.jsonl", '{"prediction": [1], "probabilities": {}}\n', "lists of labels"),
    ],
)
def test_a_record_that_cannot_be_used_is_refused_with_file_and_field(
    name: str, content: str, told: str, tmp_path: Path
) -> None:
    run = make_run(tmp_path / "run")
    (run / name).write_text(content)

    with pytest.raises(RunError) as caught:
        write_report(run)

    assert told in str(caught.value)


def test_half_a_letter_in_a_text_does_not_stop_the_report(tmp_path: Path, no_pictures: None) -> None:
    run = make_run(tmp_path / "run", warnings=["a lone surrogate: \ud800"])
    assert "a lone surrogate: ?" in report_of(run)
    assert r"a lone surrogate: \\ud800" in model_card(read_records(run))


def test_a_folder_without_scorecard_says_which_command_makes_one(tmp_path: Path) -> None:
    with pytest.raises(RunError) as caught:
        write_report(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: scorecard.json is missing, so there is nothing to report yet. "
        "`luthier tune DATA` makes it; a run that was interrupted is finished by the same command again."
    )


def test_a_folder_that_is_not_there_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(RunError) as caught:
        write_report(tmp_path / "nowhere")
    assert str(caught.value) == (
        f"{tmp_path / 'nowhere'}: there is no such folder. "
        "Give the folder of a run; `luthier tune DATA` makes one."
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"metric": ', "is not valid JSON (Expecting value: line 1 column 12 (char 11))."),
        ("[" * 100_000, "is nested too deeply to be read."),
        ("5", "expected a JSON object, found 5."),
        ("[]", "expected a JSON object, found a list."),
        ('{"metric": "accuracy", "chosen": "x"}', "lacks 'test', 'candidates'."),
        (
            json.dumps({**SCORECARD, "test": {"f1": {"value": 1}}}),
            "'test' has no value of the metric 'accuracy'.",
        ),
        (json.dumps({**SCORECARD, "test": {"accuracy": {}}}), "lacks 'test.accuracy.value'."),
        (json.dumps({**SCORECARD, "candidates": [1]}), "'candidates.0' is 1, and should be"),
        (
            json.dumps({**SCORECARD, "verdict": {"ship": "no"}}),
            "'verdict.ship' is \"no\", and should be a valid boolean.",
        ),
        (
            json.dumps({**SCORECARD, "calibration": {"temperature": 0}}),
            "'calibration.temperature' is 0, and should be",
        ),
        (
            json.dumps({**SCORECARD, "confusion": [[1, 2], [3, "<b>"]]}),
            "'confusion.1.1' is \"<b>\", and should be",
        ),
        (
            json.dumps({**SCORECARD, "confusion": [[1, 2], [3]]}),
            "'confusion' is to have a row and a column per label.",
        ),
        (json.dumps({**SCORECARD, "sha256": "0"}), "is not what luthier wrote"),
    ],
)
def test_a_broken_scorecard_is_refused_with_what_is_wrong(content: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "scorecard.json").write_text(content)
    with pytest.raises(RunError) as caught:
        write_report(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / 'scorecard.json'}: {said}")
    assert "`luthier tune DATA` makes it" in str(caught.value)


def test_importing_the_report_loads_neither_torch_nor_matplotlib() -> None:
    heavy = "{'torch', 'matplotlib'} & set(sys.modules)"
    code = f"import sys, luthier.report.page, luthier.report.card; print({heavy})"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"


# --- the model card


def card_of(run: Path) -> Any:
    from huggingface_hub import ModelCard

    return ModelCard(model_card(read_records(run)))


def test_the_hub_reads_the_card_as_it_is_meant(tmp_path: Path) -> None:
    card = card_of(make_run(tmp_path / "run"))
    assert {key: value for key, value in card.data.to_dict().items() if key != "model-index"} == {
        "library_name": "sentence-transformers",
        "pipeline_tag": "text-classification",
        "tags": ["luthier", "text-classification", "tuned"],
        "base_model": "sentence-transformers/all-MiniLM-L6-v2",
        "metrics": ["accuracy", "f1"],
    }
    index = {"task_type": "text-classification", "dataset_name": "reviews.csv", "dataset_type": "csv"}
    accuracy, f1 = (vars(result) for result in card.data.eval_results)
    expected = {**index, "dataset_split": "test", "metric_type": "accuracy", "metric_value": 0.892}
    assert accuracy.items() >= expected.items()
    expected |= {"metric_type": "f1", "metric_name": "Macro F1", "metric_value": 0.891}
    assert f1.items() >= expected.items()
    assert f1["metric_args"] == {"average": "macro"}


def test_the_card_survives_the_hubs_own_round_trip(tmp_path: Path) -> None:
    from huggingface_hub import ModelCard

    card = card_of(make_run(tmp_path / "run"))
    assert ModelCard(str(card)).data.to_dict() == card.data.to_dict()  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("model", ["./models/mine", "/data/bert", "models\\mine", "mine--it", "", "here"])
def test_a_folder_is_not_given_as_a_base_model(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path)
    assert card_of(make_run(tmp_path / "run", model=model)).data.base_model is None


def test_no_name_breaks_the_block_at_the_top_of_the_card(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", labels=["no", "a|b", "`", "---", EVIL, "x\ny", "\x07"])
    name = 'no: "yes"\n---\n# \x85 é 🎻.jsonl'
    (run / "table.json").write_text(json.dumps({"files": [{"name": name}]}))
    card = card_of(run)
    assert card.data.eval_results[0].dataset_name == name
    assert card.data.eval_results[0].dataset_type == "json"
    assert "<script" not in card.text


@pytest.mark.parametrize(
    ("label", "written"),
    [
        ("- one", r"\- one"),
        ("---", r"\---"),
        ("2. two", r"2\. two"),
        ("+ three", r"\+ three"),
        ("$x$ [a](b)", r"\$x\$ \[a\](b)"),
        ("\x1b[2J\u202e", r"\\x1b\[2J\\u202e"),
        ("-1.5", "-1.5"),
    ],
)
def test_a_label_is_no_markup_in_the_card_and_moves_no_cursor(
    label: str, written: str, tmp_path: Path
) -> None:
    text = card_of(make_run(tmp_path / "run", labels=[label, "other", "third"])).text

    assert f"## Labels\n\n{written}, other, third\n" in text


def test_the_card_tells_results_baselines_and_limits(tmp_path: Path) -> None:
    text = card_of(make_run(tmp_path / "run")).text
    for line in (
        "| Accuracy | 89.2 % | 87.8 to 90.6 % |",
        "| majority | 49.9 % | – | 0 s |",
        "| probe | 81.2 % | 79.4 to 83.0 % | 9.9 s |",
        "| tuned (this model) | 89.2 % | – | 1 min 14 s |",
        "- Its confidence is off by 1.2 points on average.",
        "- 12 texts are longer than the 256 tokens the model reads: "
        "3,400 tokens beyond the limit were cut off and never seen.",
    ):
        assert line in text.splitlines()
    assert r"- Lowest F1: po\$s\$ &amp; \\x07 日本 0.700 (607 test rows);" in text
    assert "**Ship it.** The tuned model reaches 89.2 % accuracy" in text


@pytest.mark.parametrize("model_format", ["transformers", "sentence-transformers"])
@pytest.mark.parametrize("multi_label", [True, False])
def test_the_code_without_luthier_compiles_and_calibrates(
    model_format: str, multi_label: bool, tmp_path: Path
) -> None:
    text = card_of(make_run(tmp_path / "run", model_format=model_format, multi_label=multi_label)).text
    plain, with_luthier = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    compile(plain, "plain", "exec")
    compile(with_luthier, "with luthier", "exec")
    assert "import luthier" not in plain
    assert ("logits.sigmoid()" if multi_label else "(logits / 1.31).softmax(dim=-1)") in plain


def test_rows_that_share_something_and_other_seeds_are_told_where_the_score_is(
    tmp_path: Path, no_pictures: None
) -> None:
    clusters = {"by": ["questions on one text"], "test": 40, "valid": 20}
    run = make_run(tmp_path / "run", clusters=clusters)
    page, card = report_of(run), model_card(read_records(run))

    for words in (
        "The 1,821 test rows fall into 40 clusters (questions on one text). Whole clusters are drawn for every interval",
        "Over 2 seeds the accuracy on the test rows is 89.0 % on average, with a standard deviation of 0.3 points, "
        "from 88.8 to 89.2 %. Seed 0, the best on validation, is kept.",
    ):
        assert words in page
        assert words in card
    assert "89.0 % ± 0.3 points" in page


def test_shares_of_rows_that_share_something_have_no_interval_of_single_rows(
    tmp_path: Path, no_pictures: None
) -> None:
    alone = report_of(make_run(tmp_path / "alone"))
    shared = report_of(make_run(tmp_path / "shared", clusters={"by": ["copies of one row"], "test": 900}))

    row = '<td class="number">0.900<small>0.872 to 0.923</small></td>'  # Wilson, of 540 rows that were answered so
    assert row in alone
    assert row not in shared


def test_what_being_better_costs_stands_beside_the_score(tmp_path: Path, no_pictures: None) -> None:
    found = [
        {**one, "rows_per_second": 139.0, "bytes": 90863644, "rows_to_reach": None}
        for one in SCORECARD["candidates"]
    ]
    run = make_run(tmp_path / "run", candidates=found)

    assert "| probe | 81.2 % | 79.4 to 83.0 % | 9.9 s | 139 | 86.7 MiB |" in model_card(read_records(run))
    told = report_of(run)
    assert '<td class="number">9.9 s</td><td class="number">139</td><td class="number">86.7 MiB</td>' in told
    assert "Rows to reach" not in told


def test_the_key_figures_are_score_gain_forgotten_trusted_spent(page: str) -> None:
    told = page.partition('<dl class="figures">')[2].partition("</dl>")[0]

    assert re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", told) == [
        ("Accuracy", "89.2 %"),
        ("Against zero-shot", "+24.2 points"),
        ("Tuned against probe", "+8.0 points"),
        ("On what it knew before", "−5.0 points"),
        ("May be trusted alone", "70 % of rows"),
        ("Time spent", "1 min 21 s"),
    ]
    assert "95 % interval 87.8 to 90.6 %; on 1,821 unseen test rows" in told


def test_a_model_that_is_kept_as_it_was_is_not_compared_with_itself(
    tmp_path: Path, no_pictures: None
) -> None:
    verdict = {
        "ship": False,
        "against": "zero-shot",
        "difference": 0.0,
        "low": 0.0,
        "high": 0.0,
        "words": "Memo as it was.",
    }

    page = report_of(make_run(tmp_path / "run", chosen="zero-shot", verdict=verdict))

    assert "Memo as it was." in page
    assert "Against zero-shot" not in page
    assert "How sure?" not in page


def test_a_difference_that_is_the_verdict_is_no_figure_again(tmp_path: Path, no_pictures: None) -> None:
    gap = {"difference": 0.242, "low": 0.219, "high": 0.265}

    page = report_of(make_run(tmp_path / "run", worth={"dearer": "tuned", "cheaper": "zero-shot", **gap}))

    assert page.count("+24.2 points") == 1
    assert "Tuned against zero-shot" not in page


@pytest.mark.parametrize(
    ("task", "meaning"),
    [
        ("question-answering", "of the words of the answer"),
        ("token-classification", "whole and of the right kind"),
    ],
)
def test_f1_is_explained_as_the_task_means_it(
    task: str, meaning: str, tmp_path: Path, no_pictures: None
) -> None:
    scores = {"test": {"f1": {"value": 0.5, "low": 0.4, "high": 0.6}}, "metric": "f1", "task": task}

    assert meaning in report_of(make_run(tmp_path / "run", **scores))
