"""What is special to numbers: the user's units, intervals that hold what they promise, values that are no numbers."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from known import Known
from luthier.batches.examples import Batch
from luthier.doctor.check import check
from luthier.errors import DataError, PlanError, StopFinding
from luthier.events import result_of
from luthier.folder.model_folder import ModelFolder
from luthier.forms import FORMS
from luthier.models.headed import new_head
from luthier.models.quiet import quiet
from luthier.plan.plan import Plan
from luthier.prepare.prepare import prepare
from luthier.prepare.rows import understand
from luthier.session.runs import plan_of
from luthier.steps import tune
from luthier.tasks.calibration import Calibration
from luthier.tasks.outputs import Logits
from luthier.tasks.regression import COVERAGE, Numbers, Regression
from luthier.tasks.zero_shot import Seen
from present import present
from tiny import ABOUT, likened_jsonl, messages, numbers_jsonl, write_jsonl

TASK = Regression(mean=100.0, spread=30.0)


def plan_for(data: Path, model: Path | str = "none", **settings: Any) -> Plan:
    return Plan.build({"data.path": str(data), "model.name": str(model), **settings})


def run(data: Path, model: Path, out: Path, **settings: Any) -> ModelFolder:
    quick = {"method": "full", "lr": 5e-3, "epochs": 8, "batch_rows": 8, "precision": "fp32", "threads": 1}
    return result_of(
        tune.tune(plan_for(data, model, **quick | {"run.out": str(out), "patience": 100} | settings))
    )


def scored(values: list[Any]) -> list[dict[str, Any]]:
    """Rows of texts, each unlike the others, with some values in the column `score`."""
    return [{"text": f"row {at}: {text}", "score": value}
            for at, ((text, _), value) in enumerate(zip(messages(len(values)), values, strict=True))]  # fmt: skip


# Rows


def test_mean_and_spread_are_those_of_the_training_file_alone(tmp_path: Path) -> None:
    data = write_jsonl(tmp_path / "rows.jsonl", scored([float(at) + 0.5 for at in range(40)]))
    test = write_jsonl(tmp_path / "test.jsonl", [{"text": f"other {at}", "score": 1e6} for at in range(5)])

    task = understand(plan_for(data, **{"data.test": str(test)})).task

    assert isinstance(task, Regression)
    assert (task.mean, task.spread) == pytest.approx((20.0, np.std(np.arange(40))))


@pytest.mark.parametrize(("value", "shown"), [("dear", "'dear'"), ("1,5,2", "'1,5,2'"), ("inf", "'inf'")])
def test_what_is_no_number_is_refused_with_its_place(value: str, shown: str, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    lines = [f'"row {at}: {text}",{at}.5' for at, (text, _) in enumerate(messages(20))]
    lines[7] = f'"{messages(1)[0][0]}","{value}"'
    file.write_text("\n".join(["text,score", *lines]))

    with pytest.raises(DataError) as error:
        understand(plan_for(file, **{"task.name": "regression"}))

    assert str(error.value) == (
        f"rows.csv, line 9: {shown} in column 'score' is no number, and regression learns numbers. Correct it, leave it empty, "
        "name another column with --label, or choose another --task."
    )


def test_of_several_that_are_no_numbers_the_first_is_named_and_all_are_counted(tmp_path: Path) -> None:
    data = write_jsonl(tmp_path / "rows.jsonl", scored(["1.5", "2.5", "x", "3.5", "y", "z"] * 4))

    with pytest.raises(DataError) as error:
        understand(plan_for(data, **{"task.name": "regression"}))

    assert str(error.value) == (
        "rows.jsonl, line 3: 'x' in column 'score' is no number (12 rows in all), and regression learns numbers. Correct it, "
        "leave it empty, name another column with --label, or choose another --task."
    )


def test_a_row_without_a_number_is_left_out_and_counted(tmp_path: Path) -> None:
    values = [at + 0.5 for at in range(40)]
    data = write_jsonl(tmp_path / "rows.jsonl", scored([*values, None, None]))

    rows = understand(plan_for(data, **{"task.name": "regression"}))

    assert rows.understood.unusable.empty_label.tolist() == [40, 41]
    assert rows.left_out == {"empty": 2}
    assert sum(rows.split.sizes().values()) == 40


def test_numbers_that_are_all_alike_are_refused(tmp_path: Path) -> None:
    data = write_jsonl(tmp_path / "rows.jsonl", scored([2.5] * 20))

    with pytest.raises(StopFinding) as error:
        understand(plan_for(data, **{"task.name": "regression"}))

    assert str(error.value) == (
        f"{data}: every row has the number 2.5 in column 'score'. Add rows with others, or name another column with --label."
    )


def test_small_and_large_numbers_are_spread_over_all_parts(tmp_path: Path) -> None:
    rows = understand(plan_for(numbers_jsonl(tmp_path / "rows.jsonl", 200)))

    means = [rows.targets(getattr(rows.split, part)).mean() for part in ("train", "valid", "test")]

    assert max(means) - min(means) < 8


def test_a_metric_of_labels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PlanError) as error:
        understand(plan_for(numbers_jsonl(tmp_path / "rows.jsonl", 40), **{"task.metric": "accuracy"}))

    assert str(error.value) == (
        "task.metric: 'accuracy' is no metric of regression. Expected 'spearman', 'pearson', 'r2'."
    )


@pytest.mark.parametrize("given", [3, None])
def test_what_is_no_text_is_refused(given: int | None) -> None:
    with pytest.raises(DataError, match=r"^row 0: "):
        FORMS["text"].given([given])


# The user's units


def test_the_loss_is_the_squared_error_in_units_of_the_spread() -> None:
    logits = torch.tensor([[0.5], [-1.0], [2.0]])
    targets = torch.tensor([115.0, 100.0, 40.0])
    batch = Batch({}, torch.arange(3), targets, np.arange(3), 3)

    loss = TASK.loss(lambda batch: logits, batch)

    assert loss.weight == 3
    assert float(loss.total) == pytest.approx(0 + 1 + 16)
    assert TASK.mean_loss(Logits(logits.numpy()), Known(targets.numpy())) == pytest.approx(17 / 3)


def test_a_head_is_finished_by_folding_mean_and_spread_into_its_last_layer() -> None:
    torch.manual_seed(0)
    head = new_head(8, (4,), 1, dropout=0.0)
    last = head[-1]
    assert isinstance(last, torch.nn.Linear)
    last.bias.data.fill_(0.3)
    before = {name: weight.clone() for name, weight in head.state_dict().items()}

    (_, finished), features = TASK.finished(head), torch.randn(5, 8)

    assert torch.allclose(finished(features), head(features) * 30 + 100, atol=1e-4)
    assert all(torch.equal(weight, before[name]) for name, weight in head.state_dict().items())


def test_a_task_that_is_saved_has_nothing_left_to_scale() -> None:
    finished, _ = TASK.finished(new_head(4, (), 1, 0.0))
    saved = Regression.from_json(json.loads(json.dumps(finished.to_json())))

    assert saved == Regression(0.0, 1.0, "spearman", "text")
    assert saved.values(Logits(np.array([[130.0]], np.float32))) == TASK.values(
        Logits(np.array([[1.0]], np.float32))
    )


@pytest.mark.slow
@pytest.mark.precision
def test_a_saved_model_gives_the_users_units_in_its_own_library(bert: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    # A correlation, by which a model is kept else, says nothing of units; and a higher rate ends elsewhere on each machine.
    calm = {"lr": 2e-3, "epochs": 12, "metric": "r2"}
    folder = run(numbers_jsonl(tmp_path / "rows.jsonl", 160), bert, tmp_path / "run", **calm)
    texts = [f"The {words[0]} is my {words[1]}" for words in ABOUT.values()]
    with quiet():
        model = AutoModelForSequenceClassification.from_pretrained(folder.model_path).eval()
        tokenizer = AutoTokenizer.from_pretrained(folder.model_path)

    with torch.no_grad():
        plain = model(**tokenizer(texts, padding=True, return_tensors="pt")).logits[:, 0].numpy()

    ours = folder.predict(texts)
    assert [row["value"] for row in ours] == pytest.approx(plain.tolist(), abs=1e-3)
    assert plain.argsort().tolist() == [0, 1, 2, 3]
    meant = np.array([60, 90, 115, 140])
    assert np.abs(plain - meant).mean() < 0.75 * np.abs(meant.mean() - meant).mean()
    assert (model.config.problem_type, model.config.num_labels) == ("regression", 1)
    margin = folder.model_record.calibration.margin
    for row in ours:
        assert row["high"] - row["value"] == pytest.approx(margin, abs=1e-5)
        assert row["value"] - row["low"] == pytest.approx(margin, abs=1e-5)


@pytest.fixture(scope="module")
def of_pairs(bert: Path, tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    """A model that gives pairs of texts a number from 0 to 66."""
    home, rows = tmp_path_factory.mktemp("pairs"), []
    for at, ((a, _), (b, about)) in enumerate(zip(messages(60, 1), messages(60, 2), strict=True)):
        rows.append(
            {"sentence1": a, "sentence2": b, "score": round(20 * list(ABOUT).index(about) + at / 10, 1)}
        )
    return run(write_jsonl(home / "rows.jsonl", rows), bert, home / "run", epochs=2)


def test_a_pair_with_a_number_opens_as_a_cross_encoder_that_gives_the_number(of_pairs: ModelFolder) -> None:
    from sentence_transformers import CrossEncoder

    asked = [(one, two) for (one, _), (two, _) in zip(messages(8, 3), messages(8, 4), strict=True)]
    with quiet():
        theirs = CrossEncoder(str(of_pairs.model_path), device="cpu").predict(asked)

    assert of_pairs.task.reads == "pair"
    assert [row["value"] for row in of_pairs.predict(asked)] == pytest.approx(theirs.tolist(), abs=1e-3)
    assert np.abs(theirs).max() > 1.5, "not squeezed into 0 to 1"


def test_pairs_under_a_head_of_several_layers_are_resumed_and_open_without_luthier(
    sentence_bert: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = likened_jsonl(tmp_path / "rows.jsonl", 60)

    folder = run(data, sentence_bert, tmp_path / "run", hidden=(8,), epochs=1)

    again = prepare(plan_of(folder.path))
    assert (again.plan.model.hidden, again.rows.task.reads) == ((8,), "pair")
    capsys.readouterr()
    exec(code_without_luthier(folder), {})
    told = json.loads(capsys.readouterr().out)
    assert told == pytest.approx(folder.predict([("one text", "another text")]).labels, abs=1e-3)


def code_without_luthier(folder: ModelFolder) -> str:
    """What the model's card prints, for its own folder."""
    card = (folder.path / "README.md").read_text()
    codes = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    plain: str = next(code for code in codes if "import luthier" not in code)
    return plain.replace("path/to/this/folder", str(folder.model_path))


def test_where_comparing_the_texts_untrained_is_better_the_verdict_names_what_goes_on_from_there(
    sentence_bert: Path, tmp_path: Path
) -> None:
    pairs = zip(messages(90, 1), messages(90, 2), strict=True)
    rows = [
        {"sentence1": one, "sentence2": one if at % 2 else two, "score": 5.0 * (at % 2) + at / 100}
        for at, ((one, _), (two, _)) in enumerate(pairs)
    ]

    data = write_jsonl(tmp_path / "rows.jsonl", rows)
    folder = run(data, sentence_bert, tmp_path / "run", lr=1e-9, pair="cross-encoder")

    verdict = folder.scorecard.record["verdict"]
    assert (verdict["ship"], verdict["against"]) in ((False, "zero-shot"), (False, "tf-idf"))
    assert verdict["words"].endswith("--pair bi-encoder goes on from there.")


def test_a_model_of_pairs_refuses_a_single_text(of_pairs: ModelFolder) -> None:
    with pytest.raises(DataError) as error:
        of_pairs.predict(["One text alone."])

    assert str(error.value) == (
        "row 0: 'One text alone.' is not a pair of texts. This model reads two texts a row: predict([(one, two), ...])."
    )


def test_the_usual_answer_is_the_mean_of_the_training_rows() -> None:
    targets = np.array([90.0, 110.0, 130.0])

    logits = TASK.majority(Known(targets), Known(np.zeros(4)))

    assert TASK.values(logits).tolist() == pytest.approx([110.0] * 4)


# Two texts, read apart


def alike_or_not(path: Path, rows: int, shuffled: bool = False) -> Path:
    """Pairs of which every second repeats its text, which has the greater number; or numbers that have nothing to do with it."""
    pairs = zip(messages(rows, 1), messages(rows, 2), strict=True)
    scores = np.arange(rows) % 2 * 5.0 + np.arange(rows) / 100
    if shuffled:
        np.random.default_rng(0).shuffle(scores)
    return write_jsonl(
        path,
        [
            {"sentence1": one, "sentence2": one if at % 2 else two, "score": float(scores[at])}
            for at, ((one, _), (two, _)) in enumerate(pairs)
        ],
    )


def how_pairs_are_read(data: Path, model: Path, **settings: Any) -> tuple[str, str]:
    """What the plan resolves to, and why."""
    ready = prepare(plan_for(data, model, **settings))
    return ready.plan.model.pair, next(one.why for one in ready.resolved.guesses if one.key == "model.pair")


def test_texts_whose_untrained_vectors_go_with_the_numbers_are_read_apart(
    sentence_bert: Path, tmp_path: Path
) -> None:
    how, why = how_pairs_are_read(alike_or_not(tmp_path / "rows.jsonl", 120), sentence_bert)

    assert how == "bi-encoder"
    assert re.fullmatch(
        r"on 84 training rows the untrained vectors have a spearman of 0\.[5-9]\d with the numbers", why
    )


def test_texts_whose_untrained_vectors_say_nothing_are_read_as_one(
    sentence_bert: Path, tmp_path: Path
) -> None:
    how, why = how_pairs_are_read(alike_or_not(tmp_path / "rows.jsonl", 120, shuffled=True), sentence_bert)

    assert how == "cross-encoder"
    assert why.startswith("on 84 training rows the untrained vectors have a spearman of ")


@pytest.mark.parametrize(
    ("rows", "settings", "reason"),
    [
        (24, {}, "16 rows do not tell whether the untrained vectors compare texts well"),
        (60, {"hidden": (8,)}, "model.hidden is of a head that reads more than one number"),
        (60, {"dropout": 0.2}, "model.dropout is of a head that reads more than one number"),
    ],
)
def test_texts_are_read_as_one_where_vectors_cannot_be_looked_at(
    rows: int, settings: dict[str, float | tuple[int, ...]], reason: str, sentence_bert: Path, tmp_path: Path
) -> None:
    found = how_pairs_are_read(alike_or_not(tmp_path / "rows.jsonl", rows), sentence_bert, **settings)

    assert found == ("cross-encoder", reason)


def test_a_model_that_declares_no_vectors_reads_both_texts_as_one_unless_told_otherwise(
    bert: Path, tmp_path: Path
) -> None:
    data = alike_or_not(tmp_path / "rows.jsonl", 60)

    assert how_pairs_are_read(data, bert) == (
        "cross-encoder", "the model declares no vectors of single texts",
    )  # fmt: skip
    assert prepare(plan_for(data, bert, pair="bi-encoder")).rows.task.reads == "apart"


@pytest.fixture(scope="module")
def read_apart(sentence_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    home = tmp_path_factory.mktemp("apart")
    data = likened_jsonl(home / "rows.jsonl", 120)
    return run(data, sentence_bert, home / "run", pair="bi-encoder", method="full")


def test_a_pooling_of_single_texts_reads_them_apart(bert: Path, tmp_path: Path) -> None:
    found = how_pairs_are_read(alike_or_not(tmp_path / "rows.jsonl", 60, shuffled=True), bert, pooling="cls")

    assert found == ("bi-encoder", "model.pooling makes vectors of single texts")


def test_vectors_that_go_against_the_numbers_are_a_start_too(sentence_bert: Path, tmp_path: Path) -> None:
    data = alike_or_not(tmp_path / "rows.jsonl", 120)
    rows = [json.loads(line) for line in data.read_text().splitlines()]
    write_jsonl(data, [row | {"score": -row["score"]} for row in rows])

    how, why = how_pairs_are_read(data, sentence_bert)

    assert how == "bi-encoder"
    assert "spearman of -0." in why


def test_a_model_whose_vectors_cannot_be_made_reads_both_texts_as_one(
    with_dense: Path, tmp_path: Path
) -> None:
    config = next(with_dense.glob("*_Dense/config.json"))
    config.write_text(json.dumps(json.loads(config.read_text()) | {"activation_function": "torch.nn.ELU"}))

    how, why = how_pairs_are_read(alike_or_not(tmp_path / "rows.jsonl", 60), with_dense)

    assert how == "cross-encoder"
    assert why.startswith("its vectors cannot be made: ")
    assert "torch.nn.ELU" in why


def test_the_layers_above_the_pooled_states_come_back_with_a_saved_model(
    with_dense: Path, tmp_path: Path
) -> None:
    data = likened_jsonl(tmp_path / "rows.jsonl", 80)

    folder = run(data, with_dense, tmp_path / "run", pair="bi-encoder", epochs=2)

    rows = [
        json.loads(line) for line in (folder.path / "predictions" / "test.jsonl").read_text().splitlines()
    ]
    pairs = [tuple(row["text"].split(" | ")) for row in rows]
    assert folder.predict(pairs).labels == pytest.approx([row["prediction"] for row in rows], abs=1e-3)
    assert len(folder.folder.dense) == 2


def test_check_reads_texts_apart_as_tune_does(sentence_bert: Path, tmp_path: Path) -> None:
    """Each text has fewer than the 48 tokens that the model reads, both together have more."""
    data = alike_or_not(tmp_path / "rows.jsonl", 60)
    rows = [json.loads(line) for line in data.read_text().splitlines()]
    longer = [row | {key: f"{row[key]} {'a ' * 20}" for key in ("sentence1", "sentence2")} for row in rows]
    write_jsonl(data, longer)

    def too_long(**settings: Any) -> int:
        found = result_of(check(plan_for(data, sentence_bert, **settings)))
        return sum(finding.count for finding in found.findings if finding.check == "length")

    assert (too_long(pair="bi-encoder"), too_long(pair="cross-encoder")) == (0, 60)


def test_the_probe_of_texts_read_apart_is_the_least_squares_line_through_their_cosine(
    sentence_bert: Path, tmp_path: Path
) -> None:
    data = likened_jsonl(tmp_path / "rows.jsonl", 120)

    found = run(
        data, sentence_bert, tmp_path / "run", pair="bi-encoder", method="probe", lr=None, epochs=None,
        batch_rows=None, patience=None,
    )  # fmt: skip

    rows = [json.loads(line) for line in data.read_text().splitlines()]
    near, truth = (
        found.logits([(row["sentence1"], row["sentence2"]) for row in rows])[:, 0],
        [row["score"] for row in rows],
    )
    test = {
        json.loads(line)["row"]
        for line in (found.path / "predictions" / "test.jsonl").read_text().splitlines()
    }
    learnt = [at for at in range(len(rows)) if at not in test]
    slope, level = np.polyfit(near[learnt], np.array(truth)[learnt], 1)
    assert isinstance(found.task, Regression)
    assert found.task.mean == pytest.approx(level, abs=0.02)
    assert found.task.spread == pytest.approx(slope, rel=0.02)


def test_the_code_beside_a_model_that_reads_texts_apart_gives_the_same_number(
    read_apart: ModelFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    with quiet():
        exec(code_without_luthier(read_apart), {})

    told = json.loads(capsys.readouterr().out)
    assert told == pytest.approx(read_apart.predict([("one text", "another text")]).labels, abs=1e-3)


def test_texts_read_apart_end_nearer_where_their_number_is_greater(read_apart: ModelFolder) -> None:
    candidates = {one["name"]: one["test"] for one in read_apart.scorecard.record["candidates"]}

    assert list(candidates) == ["mean", "tf-idf", "zero-shot", "neighbours", "probe", "tuned"]
    assert candidates["probe"] == pytest.approx(candidates["zero-shot"], abs=1e-6), "a line changes no order"
    assert candidates["tuned"] > candidates["probe"] + 0.1


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"hidden": (8,)}, "model.hidden: no effect with a bi-encoder, whose head reads one number"),
        ({"dropout": 0.2}, "model.dropout: no effect with a bi-encoder, whose head reads one number"),
        ({"long": "windows"}, "data.long: 'windows' are of a single text"),
    ],
)
def test_settings_that_texts_read_apart_have_no_use_for_are_refused(
    settings: dict[str, float | str | tuple[int, ...]], words: str, sentence_bert: Path, tmp_path: Path
) -> None:
    with pytest.raises(PlanError) as error:
        prepare(
            plan_for(alike_or_not(tmp_path / "rows.jsonl", 60), sentence_bert, pair="bi-encoder", **settings)
        )

    assert str(error.value).startswith(words)


def test_how_pairs_are_read_is_no_setting_of_single_texts(sentence_bert: Path, tmp_path: Path) -> None:
    with pytest.raises(PlanError) as error:
        prepare(plan_for(numbers_jsonl(tmp_path / "rows.jsonl", 60), sentence_bert, pair="bi-encoder"))

    assert str(error.value) == "model.pair: no effect with regression as it is asked for. Leave it out."


# Intervals


def test_intervals_hold_the_truth_of_nine_rows_in_ten() -> None:
    """Split conformal prediction: on average over calibration sets exactly k / (n + 1), whatever the errors are."""
    random = np.random.default_rng(0)
    shares, margins = [], []
    for _ in range(300):
        truth = random.normal(100, 30, 249)
        logits = ((truth + random.standard_t(3, 249) * 5 - 100) / 30)[:, None].astype(np.float32)
        calibration = TASK.calibrating.fit(Logits(logits[:49]), Known(truth[:49]))
        found = TASK.answer(Logits(logits[49:]), calibration)
        shares.append(np.mean((found.low <= truth[49:]) & (truth[49:] <= found.high)))
        margins.append(calibration.margin)

    assert np.mean(shares) == pytest.approx(math.ceil(50 * COVERAGE) / 50, abs=0.01)
    assert np.mean(margins) > 5


def test_an_interval_is_as_wide_to_either_side_and_around_the_estimate() -> None:
    logits = np.array([[0.0], [1.0]], np.float32)

    found = TASK.answer(Logits(logits), Calibration(margin=7.0))

    assert [one.tolist() for one in (found.values, found.low, found.high)] == [
        [100, 130],
        [93, 123],
        [107, 137],
    ]


def test_with_too_few_rows_to_calibrate_there_is_no_interval_and_json_says_null() -> None:
    logits = np.zeros((8, 1), np.float32)

    calibration = TASK.calibrating.fit(Logits(logits), Known(np.arange(8.0)))

    found = TASK.answer(Logits(logits[:1]), calibration)
    assert calibration.margin == math.inf
    assert TASK.lines(found) == [{"value": 100.0, "low": None, "high": None}]
    trust = TASK.calibrating.trust(found, found, np.array([1.0]), calibration)
    assert json.loads(json.dumps(trust)) == {"calibration": {"wanted": 0.9, "margin": None, "coverage": None}}


def test_what_was_covered_on_the_test_rows_is_told() -> None:
    found = TASK.answer(Logits(np.zeros((4, 1), np.float32)), Calibration(margin=10.0))

    trust = TASK.calibrating.trust(
        found, found, np.array([95.0, 110.0, 111.0, 60.0]), Calibration(margin=10.0)
    )

    assert trust == {"calibration": {"wanted": 0.9, "margin": 10.0, "coverage": 0.5}}


# Scores


@pytest.mark.parametrize("metric", ["spearman", "pearson", "r2"])
def test_the_score_is_that_of_scipy_and_comes_first(metric: str) -> None:
    random = np.random.default_rng(0)
    truth = random.normal(100, 30, 60)
    said = truth + random.normal(0, 30, 60)
    task = Regression(100.0, 30.0, metric)

    expected = {
        "spearman": stats.spearmanr(truth, said).statistic,
        "pearson": stats.pearsonr(truth, said).statistic,
        "r2": 1 - ((truth - said) ** 2).sum() / ((truth - truth.mean()) ** 2).sum(),
    }[metric]
    assert task.score(Numbers(said), truth) == pytest.approx(expected)
    found = task.scores(Numbers(said), truth, seed=0)
    assert next(iter(found)) == metric
    assert set(found) == {"spearman", "pearson", "r2", "mae"}
    assert found["mae"].value == pytest.approx(np.abs(truth - said).mean())
    assert all(one.low < one.value < one.high for one in found.values())


def test_the_scatter_is_drawn_from_the_least_truth_to_the_greatest() -> None:
    truth = np.random.default_rng(0).normal(size=2_000)

    points = np.array(TASK.details(Numbers(truth + 1), truth)["scatter"])

    assert points.shape == (500, 2)
    assert points[0, 0] == pytest.approx(truth.min(), abs=1e-6)
    assert points[-1, 0] == pytest.approx(truth.max(), abs=1e-6)
    assert np.abs(points[:, 1] - points[:, 0] - 1).max() < 1e-5


def test_the_nearness_of_two_texts_is_brought_to_mean_and_spread() -> None:
    random = np.random.default_rng(0)
    one, two = random.normal(size=(50, 8)), random.normal(size=(50, 8))

    how = Regression(100.0, 30.0, reads="pair").zero_shot
    assert how is not None
    rows = Seen(one, one, sides=(one, two), known_sides=(one, two))
    values = TASK.values(present(how.outputs(rows)))
    few = TASK.values(present(how.outputs(replace(rows, sides=(one[:5], two[:5])))))

    cosines = (one * two).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(two, axis=1)
    assert stats.pearsonr(values, cosines).statistic == pytest.approx(1)
    assert (values.mean(), values.std()) == (pytest.approx(100, abs=1e-3), pytest.approx(30, abs=1e-3))
    assert few == pytest.approx(values[:5]), "whatever rows it is asked of"
