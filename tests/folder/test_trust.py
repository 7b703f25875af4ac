"""`predict --error`: what a finished model keeps for it, what it answers then, and what it refuses."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import luthier as package
from command import luthier
from luthier.errors import PlanError, RunError
from luthier.folder.trust import Alarm, Trust, alarm_of, referred, stream_words
from luthier.scores.unlike import FEWEST, Detector
from luthier.tasks.trusting import Promise
from tiny import TINY, messages, messages_csv, numbers_jsonl

WITNESSES = Path(__file__).parents[1] / "witnesses" / "c4c58ac"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A probe on 1,200 messages."""
    home = tmp_path_factory.mktemp("trust")
    data, model = messages_csv(home / "rows.csv", 1_200), TINY["bert"](home / "bert")
    package.tune(str(data), model=str(model), method="probe", out=str(home / "run"), quiet=True)
    return home / "run"


@pytest.fixture
def copy(run: Path, tmp_path: Path) -> Path:
    """The run, to be changed."""
    return Path(shutil.copytree(run, tmp_path / "run"))


def told(run: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((run / "scorecard.json").read_text())["trust"]
    return found


@pytest.mark.slow
def test_a_run_keeps_what_it_takes_sealed_beside_the_model_and_tells_of_it(run: Path) -> None:
    folder, record = package.load(run), told(run)

    assert folder.doubts == []
    assert {"confidence", "right", "of_truth", "label"} == folder.trust.known.keys()
    assert record["part"] == "calibration"
    assert record["rows"] == len(folder.trust.known["label"])
    assert folder.model_record.trust is not None
    assert folder.model_record.trust["alarm"]["rows"] >= FEWEST
    assert "trust.safetensors" in json.loads((run / "model" / "luthier.json").read_text())["files"]
    assert "## Trust" in (run / "README.md").read_text()
    assert ">Trust</h2>" in (run / "report.html").read_text()


@pytest.mark.slow
def test_what_is_told_of_the_test_rows_is_what_predict_does_with_them(run: Path) -> None:
    lines = [json.loads(line) for line in (run / "predictions" / "test.jsonl").read_text().splitlines()]
    (limit,) = [one for one in told(run)["limits"] if one["error"] == 0.2]  # type: ignore[attr-defined]

    found = package.load(run).predict([line["text"] for line in lines], error=0.2)

    answered = [row["refer"] is None for row in found]
    assert np.mean(answered) == pytest.approx(limit["test_answered"], abs=1 / len(lines))
    wrong = [
        row["label"] != line["label"]
        for row, line, there in zip(found, lines, answered, strict=True)
        if there
    ]
    if wrong:
        assert np.mean(wrong) == pytest.approx(limit["test_wrong"], abs=2 / len(wrong))


@pytest.mark.slow
def test_a_row_is_answered_as_without_a_limit_or_has_no_answer_and_a_reason(run: Path) -> None:
    texts = [text for text, _ in messages(40, seed=9)]
    folder = package.load(run)

    plain, limited = folder.predict(texts), folder.predict(texts, error=0.3)

    assert all(row.keys() == {"label", "probabilities"} for row in plain)
    for before, after in zip(plain, limited, strict=True):
        assert after["probabilities"] == before["probabilities"]
        assert after["refer"] in (None, "uncertain", "unlike")
        assert after["label"] == (None if after["refer"] else before["label"])
        assert (after["p_value"] <= 0.01) == (after["refer"] == "unlike")
        assert before["label"] in after["set"]


@pytest.mark.slow
def test_a_stricter_limit_answers_no_more_rows_and_gives_larger_sets(run: Path) -> None:
    texts = [text for text, _ in messages(60, seed=9)]
    folder = package.load(run)

    answers = [folder.predict(texts, error=error) for error in (0.5, 0.3, 0.1)]

    shares = [sum(row["refer"] is None for row in found) for found in answers]
    sizes = [sum(len(row["set"]) for row in found) for found in answers]
    assert shares == sorted(shares, reverse=True)
    assert sizes == sorted(sizes)


@pytest.mark.slow
def test_a_row_with_nothing_to_read_is_referred_as_empty(run: Path) -> None:
    found = package.load(run).predict(["", "my parcel was delivered today"], error=0.3)

    assert (found[0]["label"], found[0]["refer"]) == (None, "empty")
    assert found.unanswered == 1


@pytest.mark.slow
def test_a_limit_that_cannot_be_shown_leaves_all_rows_to_a_person_and_says_why(run: Path) -> None:
    found = package.load(run).predict(["my parcel was delivered today"], error=0.001)

    rows = told(run)["rows"]
    assert found[0]["refer"] in ("uncertain", "unlike")
    assert found[0]["set"] is None
    assert found.told == (
        "--error 0.001: no row is answered: it takes 3,688 calibration rows at the least to show that, and this model has "
        f"{rows}. Allow more errors, or tune again with more calibration rows (more labelled rows, or --calibration-share).",
        f"--error 0.001: there is no set of labels: it takes 999 calibration rows at the least, and this model has {rows}. "
        "Allow more errors, or tune again with more calibration rows (more labelled rows, or --calibration-share).",
    )


@pytest.mark.slow
@pytest.mark.parametrize("error", ["0", "1", "-0.1", "nan", "5"])
def test_a_limit_that_is_no_share_is_refused(error: str, run: Path) -> None:
    ended = luthier("predict", run, run.parent / "rows.csv", "--error", error)

    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        f"--error {float(error):g}: expected a share between 0 and 1, as in --error 0.05: at most 5 % of what is answered may be "
        "wrong.\n"
    )


def test_a_limit_that_is_no_number_is_refused() -> None:
    ended = luthier("predict", "run", "new.csv", "--error", "little")

    assert (ended.code, ended.err) == (
        2,
        "--error little: expected a share between 0 and 1, as in --error 0.05.\n",
    )


@pytest.mark.slow
def test_the_command_writes_what_predict_gives_and_tells_on_standard_error(run: Path, tmp_path: Path) -> None:
    rows = messages_csv(tmp_path / "new.csv", 12, seed=4)

    ended = luthier("predict", run, rows, "--error", "0.001")

    texts = [text for text, _ in messages(12, seed=4)]
    found = package.load(run).predict(texts, error=0.001)
    assert ended.code == 0
    assert [json.loads(line) for line in ended.out.splitlines()] == found.to_json()
    assert ended.err.splitlines() == list(found.told)


def test_a_model_of_an_older_luthier_and_a_task_that_promises_nothing_are_refused() -> None:
    with pytest.raises(RunError) as old:
        package.load(WITNESSES / "text").predict(["a text"], error=0.1)
    with pytest.raises(PlanError) as other:
        package.load(WITNESSES / "questions").predict([{"question": "a", "context": "b"}], error=0.1)

    assert str(old.value) == (
        f"{WITNESSES / 'text' / 'model' / 'luthier.json'}: holds nothing by which an error could be promised: there were no "
        "rows to calibrate on, or to test on, or an older luthier wrote it. Tune with more labelled rows, or leave --error out."
    )
    assert str(other.value) == (
        "--error: question-answering promises nothing of single answers. Leave it out; labels and numbers have it."
    )


@pytest.mark.slow
def test_a_file_that_is_gone_or_damaged_is_told(copy: Path) -> None:
    path = copy / "model" / "trust.safetensors"
    whole = path.read_bytes()

    path.write_bytes(whole[:-5])
    with pytest.raises(RunError) as damaged:
        package.load(copy).predict(["a text"], error=0.1)
    path.unlink()
    with pytest.raises(RunError) as gone:
        package.load(copy).predict(["a text"], error=0.1)

    assert str(damaged.value).startswith(f"{path}: is damaged (")
    assert str(gone.value).startswith(f"{path}: is gone.")


@pytest.mark.slow
def test_numbers_have_intervals_as_wide_as_is_asked(tmp_path: Path) -> None:
    rows, model = numbers_jsonl(tmp_path / "rows.jsonl", 600), TINY["bert"](tmp_path / "bert")
    run = package.tune(str(rows), model=str(model), method="probe", out=str(tmp_path / "run"), quiet=True)

    usual, wide = run.predict(["my parcel"], error=0.1)[0], run.predict(["my parcel"], error=0.05)[0]

    plain = run.predict(["my parcel"])[0]
    assert (usual["low"], usual["high"]) == pytest.approx((plain["low"], plain["high"]), abs=1e-5)
    assert wide["high"] - wide["low"] > usual["high"] - usual["low"]
    assert told(tmp_path / "run")["intervals"]


# Without a model


def known_cloud(rows: int, seed: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.random.default_rng(seed).normal(size=(rows, 6)) + 5


def test_what_is_kept_is_the_same_again() -> None:
    trust = Trust({"distance": np.arange(3.0)}, alarm_of(known_cloud(80, 0), None, known_cloud(120, 1)))

    again = Trust.from_arrays(trust.arrays())

    assert trust.alarm is not None
    assert again.alarm is not None
    assert again.known["distance"].tolist() == [0, 1, 2]
    assert again.alarm.scores(known_cloud(5, 2)).tolist() == trust.alarm.scores(known_cloud(5, 2)).tolist()
    assert again.alarm.own(10).tolist() == trust.alarm.own(10).tolist()


def test_too_few_rows_of_the_usual_kind_give_no_alarm() -> None:
    assert alarm_of(known_cloud(80, 0), None, known_cloud(FEWEST - 1, 1)) is None
    assert Trust.from_arrays(Trust({}, None).arrays()).alarm is None


def test_a_row_that_is_unlike_is_so_called_however_sure_its_answer_is() -> None:
    lines = [{"label": name} for name in "abc"]
    promise = Promise(np.array([True, True, False]), [{}, {}, {}])

    with_alarm = referred(lines, "label", promise, np.array([0.5, 0.01, 0.001]))
    without = referred(lines, "label", promise, None)

    assert [(row["label"], row["refer"]) for row in with_alarm] == [
        ("a", None),
        (None, "unlike"),
        (None, "unlike"),
    ]
    assert without == [
        {"label": "a", "refer": None},
        {"label": "b", "refer": None},
        {"label": None, "refer": "uncertain"},
    ]


def test_a_stream_of_another_kind_is_told_with_the_number_of_the_row() -> None:
    detector = Detector.fitted(known_cloud(80, 0), None)
    alarm = Alarm(detector, detector.scores(known_cloud(120, 1)))
    strange, usual = alarm.scores(-known_cloud(30, 2)), alarm.scores(known_cloud(30, 3))

    words = stream_words(alarm, strange, range(1_000, 1_030))

    assert words.startswith("These rows are not of the kind that the model has learnt from: at row 1,00")
    assert stream_words(alarm, usual, range(30)) == ""
