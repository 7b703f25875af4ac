"""Baselines that learn, with and without a pre-trained model: what they answer, and that what is tuned has to beat them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from early_runs import run_of, small
from kills import at_call, kill_in, outcome
from luthier.candidates import CANDIDATES, competing, scratch
from luthier.candidates.by_hand import HandMadeCandidate
from luthier.candidates.tf_idf import TF_IDF
from luthier.comparing.fitted import Fitted, Footprint, tried_rows
from luthier.comparing.in_short import Compared, Reach, short_words
from luthier.errors import PlanError
from luthier.events import Noted, Stepped, Work, result_of
from luthier.folder.model_folder import ModelFolder
from luthier.models.ladder.trainable import randomise
from luthier.plan.plan import Plan
from luthier.prepare.prepare import prepare
from luthier.scores.intervals import Difference, Estimate
from luthier.scores.learning_curve import Curve, likely_rows, rows_needed
from luthier.steps.footprints import bytes_on_disk, rows_per_second
from luthier.steps.tune import features_and_probe, tune
from tiny import TINY, TINY_IMAGES, images_folder, messages_csv, opened, write_jsonl

pytestmark = pytest.mark.slow

BY_HAND = [name for name, one in CANDIDATES.items() if isinstance(one, HandMadeCandidate)]


# What they learn


def fitted_of(plan: Plan) -> dict[str, Fitted]:
    """The cheap candidates of a run, by name."""
    run = run_of(plan)
    for _ in features_and_probe(run):
        pass
    return {one.name: one for one in run.candidates}


@pytest.mark.parametrize(
    ("task", "names"),
    [
        ("text-classification", ["tf-idf", "neighbours"]),
        ("pair-classification", ["tf-idf", "neighbours"]),
        ("regression", ["tf-idf", "neighbours"]),
        ("regression, of two texts read apart", ["tf-idf", "neighbours"]),
        ("image-classification", ["colours", "neighbours"]),
        ("token-classification", []),
        ("question-answering", []),
        ("embedding", []),
        ("chat", []),
    ],
)
def test_who_competes_where(task: str, names: list[str], tmp_path: Path) -> None:
    ready = prepare(small(task, tmp_path))

    found = [one.name for one in competing(ready, trains=False)]

    assert [name for name in found if name in ("tf-idf", "colours", "neighbours")] == names


def test_where_words_tell_the_label_word_counts_find_it(tmp_path: Path) -> None:
    found = fitted_of(small("text-classification", tmp_path))

    assert found["tf-idf"].scores["valid"].value > 0.9
    assert found["tf-idf"].weights is None, "it is never kept"


def test_several_labels_a_row_have_thresholds_of_their_own(tmp_path: Path) -> None:
    dice = np.random.default_rng(0)
    words = {"strings": "string", "neck": "neck", "price": "cheap"}
    rows = [
        {"text": " ".join([*(words[label] for label in had), "it", "is"]), "label": had}
        for had in ([label for label in words if dice.random() < 0.4] or ["price"] for _ in range(120))
    ]
    plan = small(
        "text-classification", tmp_path, **{"data.path": str(write_jsonl(tmp_path / "many.jsonl", rows))}
    )

    found = fitted_of(plan)

    assert len(found["tf-idf"].calibration.thresholds or ()) == 3
    assert found["tf-idf"].scores["valid"].value > 0.9


def test_colours_tell_red_images_from_blue_ones(tmp_path: Path) -> None:
    found = fitted_of(small("image-classification", tmp_path))

    assert found["colours"].scores["valid"].value == 1.0


def test_a_candidate_says_what_it_would_come_to_with_fewer_rows(tmp_path: Path) -> None:
    run = run_of(small("text-classification", tmp_path))
    for _ in features_and_probe(run):
        pass

    for one in run.candidates:
        if one.name in ("tf-idf", "neighbours", "probe"):
            sizes = [smaller.learnt for smaller in one.footprint.smaller]
            assert sizes == sorted(sizes)
            assert sizes[-1] == round(one.footprint.learnt / 2)
            few = tried_rows(len(run.targets("test")))
            assert {len(smaller.outputs) for smaller in one.footprint.smaller} == {len(few)}


def test_a_run_is_told_where_only_some_of_the_rows_are_learnt_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TF_IDF, "most_rows", 20)
    run = run_of(small("text-classification", tmp_path))

    events = list(features_and_probe(run))

    told = [event.text for event in events if isinstance(event, Noted) and "learns from" in event.text]

    assert told == [
        f"A linear model of word counts (TF-IDF) learns from 20 of {len(run.targets('train'))} training rows, drawn at random."
    ]


def test_a_trial_of_a_search_leaves_out_what_is_only_compared_with(tmp_path: Path) -> None:
    run = run_of(small("text-classification", tmp_path))
    run.mode = replace(run.mode, writes_model=False)

    for _ in features_and_probe(run):
        pass

    assert [one.name for one in run.candidates] == ["majority", "zero-shot", "probe"]


# What the verdict makes of them


def card_of(folder: ModelFolder) -> dict[str, Any]:
    return folder.scorecard.to_json()


def plan_for(path: Path, **changed: Any) -> Plan:
    settings = {"data.path": str(messages_csv(path / "rows.csv", 160)), "model.name": str(TINY["bert"](path / "bert")),
                "run.precision": "fp32", "run.threads": 1, "train.epochs": 2, "train.lr": 1e-3, "train.patience": 9,
                "train.method": "full"}  # fmt: skip
    return Plan.build({**settings, "run.out": str(path / "run"), **changed})


def test_a_tuned_model_that_word_counts_do_as_well_as_is_not_shipped(tmp_path: Path) -> None:
    card = card_of(result_of(tune(plan_for(tmp_path))))

    found = {one["name"]: one for one in card["candidates"]}
    assert found["tf-idf"]["test"] >= found["tuned"]["test"]
    assert (card["verdict"]["ship"], card["verdict"]["against"]) == (False, "tf-idf")
    assert "a linear model of word counts (TF-IDF)" in card["verdict"]["words"]
    assert card["in_short"].startswith(("Tuning was not worth it", "Whether tuning was worth it"))
    for one in card["candidates"]:
        assert one["rows_per_second"] > 0
        assert one["bytes"] >= 0
    assert found["majority"]["bytes"] < found["tf-idf"]["bytes"] < found["neighbours"]["bytes"]
    assert found["tuned"]["bytes"] == found["probe"]["bytes"]
    page = (tmp_path / "run" / "report.html").read_text()
    assert all(title in page for title in ("Rows/s", "Size", card["in_short"].split(":")[0]))


# From scratch


@pytest.mark.parametrize("name", ["bert", "vit", "resnet", "mobilenet_v2"])
def test_no_weight_of_a_pre_trained_body_is_left_where_it_begins_anew(name: str, tmp_path: Path) -> None:
    if name in TINY:
        model = opened(TINY[name](tmp_path / "model"), [("a text", "one"), ("another", "other")]).model
    else:
        data = images_folder(tmp_path / "rows", 36)
        plan = Plan.build({"data.path": str(data), "model.name": str(TINY_IMAGES[name](tmp_path / "model")),
                           "run.out": str(tmp_path / "run"), "run.precision": "fp32"})  # fmt: skip
        model = prepare(plan).model
    before = {key: weight.detach().clone() for key, weight in model.body.named_parameters()}

    randomise(model, seed=0)

    for key, weight in model.body.named_parameters():
        constant = bool((weight == weight.flatten()[0]).all())  # norms and biases begin as ones and zeros
        told = before[key] != 0  # a padding token's vector is zeros from its beginning
        assert constant or not bool((weight == before[key])[told].any()), key
    first = {key: weight.detach().clone() for key, weight in model.body.named_parameters()}
    randomise(model, seed=0)
    assert all(bool((weight == first[key]).all()) for key, weight in model.body.named_parameters())


def test_the_model_from_scratch_is_shown_and_neither_kept_nor_counted_and_changes_nothing_of_the_tuned_one(
    tmp_path: Path,
) -> None:
    plain: ModelFolder = result_of(tune(plan_for(tmp_path)))
    events = list(tune(plan_for(tmp_path, **{"compare.scratch": "on", "run.out": str(tmp_path / "with")})))

    ours, theirs = outcome(tmp_path / "with"), outcome(plain.path)
    card = ours.pop("scorecard")
    theirs.pop("scorecard")
    assert ours == theirs, "weights and answers are the same bytes"
    assert [one["name"] for one in card["candidates"]][-2:] == ["tuned", "scratch"]
    assert card["verdict"]["against"] == "tf-idf"
    assert card["worth"]["dearer"] == "tuned"
    assert card["tuning"]["scratch"]["steps"] == card["tuning"]["tuned"]["steps"]
    assert {event.candidate for event in events if isinstance(event, Stepped)} == {"tuned"}
    assert not list((tmp_path / "with" / "state").glob("*scratch*"))


def test_a_run_that_is_killed_while_it_learns_from_scratch_ends_in_the_same_bytes(tmp_path: Path) -> None:
    settings = {"compare.scratch": "on", "run.save_every": "0.001s"}
    result_of(tune(plan_for(tmp_path, **settings)))
    killed = plan_for(tmp_path, **settings, **{"run.out": str(tmp_path / "killed")})

    kill_in(killed, at_call(scratch, "told", 9))
    result_of(tune(killed))

    assert outcome(tmp_path / "killed") == outcome(tmp_path / "run")


def test_a_model_from_scratch_that_has_no_time_left_is_told_of(tmp_path: Path) -> None:
    run = run_of(plan_for(tmp_path, **{"compare.scratch": "on"}))
    run.mode = replace(run.mode, enough=lambda: True)

    work = Work(scratch.SCRATCH.fit(run))
    told = [event.text for event in work if isinstance(event, Noted)]

    assert (work.result, told) == (None, [scratch.TOO_LATE])


def test_what_cannot_be_trained_from_scratch_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PlanError) as refused:
        prepare(small("chat", tmp_path, **{"compare.scratch": "on"}))
    assert str(refused.value) == (
        "compare.scratch: with chat a model from random weights would have to learn the language first, which takes far more "
        "text than any run reads. Leave it out."
    )
    with pytest.raises(PlanError, match=r"compare\.scratch: no effect with train\.method 'probe'"):
        Plan.build({"data.path": "a.csv", "method": "probe", "scratch": "on"})


# In words and numbers


def scored(name: str, value: float, footprint: Footprint | None = None) -> Fitted:
    estimate = Estimate(value, value, value)
    scores = {"valid": estimate, "test": estimate}
    return Fitted(name, CANDIDATES[name].words, 0.0, {}, scores=scores, footprint=footprint or Footprint())


@pytest.mark.parametrize(
    ("gap", "reach", "words"),
    [
        (
            Difference(0.08, 0.06, 0.1),
            Reach(41_000, 6_420),
            "Tuning was worth it: 89.2 % accuracy on the test rows, where the probe comes to 81.2 % and a linear model of word "
            "counts (TF-IDF) to 80.0 %; the probe would take about 41,000 training rows for that, in place of 6,420.",
        ),
        (
            Difference(0.08, 0.06, 0.1),
            Reach(None, 6_420),
            "Tuning was worth it: 89.2 % accuracy on the test rows, where the probe comes to 81.2 % and a linear model of word "
            "counts (TF-IDF) to 80.0 %; the probe would not get there with 4 times its 6,420 training rows.",
        ),
        (
            Difference(0.08, 0.06, 0.1),
            Reach(6_000, 6_420),
            "Tuning was worth it: 89.2 % accuracy on the test rows, where the probe comes to 81.2 % and a linear model of word "
            "counts (TF-IDF) to 80.0 %.",
        ),
        (
            Difference(0.0, -0.1, 0.1),
            Reach(None, 6_420),
            "Whether tuning was worth it these rows cannot tell: 89.2 % accuracy on the test rows, where the probe comes to "
            "81.2 % and a linear model of word counts (TF-IDF) to 80.0 %.",
        ),
        (
            Difference(-0.2, -0.3, -0.1),
            Reach(None, 0),
            "Tuning was not worth it: 89.2 % accuracy on the test rows, where the probe comes to 81.2 % and a linear model of "
            "word counts (TF-IDF) to 80.0 %.",
        ),
    ],
)
def test_the_run_in_one_sentence(gap: Difference, reach: Reach, words: str) -> None:
    found = Compared(scored("tuned", 0.892), scored("probe", 0.812), scored("tf-idf", 0.8), gap)

    assert short_words(found, "accuracy", reach, tuned=True) == words


def test_where_no_layer_was_tuned_the_sentence_says_so() -> None:
    probe, majority = scored("probe", 0.9), scored("majority", 0.5)
    found = Compared(probe, majority, majority, Difference(0.4, 0.3, 0.5))

    assert short_words(found, "accuracy", Reach(None, 0), tuned=False) == (
        "No layer was tuned, and the probe is what there is: 90.0 % accuracy on the test rows, where always answering the most "
        "frequent label comes to 50.0 %."
    )


def test_who_asks_the_model_takes_its_time_and_its_place_too() -> None:
    """100 rows at 50 a second take 2 seconds, and half a second more."""
    asks = scored("neighbours", 0.5, Footprint(0.5, bytes=7))
    alone = scored("tf-idf", 0.5, Footprint(0.5, asks_model=False, bytes=7, with_model=False))

    assert [rows_per_second(one, 100, 50.0) for one in (asks, alone)] == [40.0, 200.0]
    assert [bytes_on_disk(one, 1_000) for one in (asks, alone)] == [1_007, 7]
    assert bytes_on_disk(scored("lookup", 0.5, Footprint(bytes=None)), 1_000) is None


def test_the_rows_that_a_score_takes_follow_from_the_learning_curve() -> None:
    """A curve whose error halves with each doubling of the rows reaches a quarter of its last error with four times the rows."""
    sizes = np.array([100.0, 200.0, 400.0, 800.0])
    curve = Curve(sizes, 1 - 40 / sizes, np.full(4, 1e6))

    needed = rows_needed(curve, 1 - 40 / 3_000, 800)

    assert needed.middle == pytest.approx(3_000, rel=0.1)
    assert likely_rows(curve, 1 - 40 / 3_000, 800) == needed.middle
