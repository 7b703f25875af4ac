"""Few images: nothing is held out, a discriminant stands in the place of the plain probe, and the class means beside it."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from early_runs import run_of
from luthier.candidates import CANDIDATES, competing
from luthier.candidates.crossing import folds_of, foretold
from luthier.candidates.features import compute_features
from luthier.candidates.run import Run
from luthier.errors import PlanError
from luthier.events import Chose, Event, Noted, Work
from luthier.folder.model_folder import ModelFolder
from luthier.models.quiet import quiet
from luthier.plan.plan import Plan
from luthier.plan.search import SearchPlan
from luthier.prepare.prepare import Prepared, prepare
from luthier.searching.opening import alike_in_trials
from luthier.steps import tune as steps
from luthier.steps.tune import features_and_probe
from luthier.train.probe.centred import FOLDS
from luthier.train.probe.discriminant import CLASS_MEANS, fit_discriminant
from present import present
from tiny import TINY_IMAGES, images_folder


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return TINY_IMAGES["vit"](tmp_path_factory.mktemp("models") / "vit")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twelve images of each of three labels, and 30 others to test on."""
    images_folder(tmp_path / "photos", 36, seed=1)
    images_folder(tmp_path / "others", 30, seed=2)
    return tmp_path / "photos"


def plan_of(photos: Path, network: Path, **settings: Any) -> Plan:
    home = photos.parent
    named = {"data.path": str(photos), "data.test": str(home / "others"), "model.name": str(network)}
    quick = {"run.out": str(home / "run"), "run.precision": "fp32", "run.threads": 1}
    return Plan.build(named | quick | {"data.allow": ("near-images", "leaks")} | settings)


def run(plan: Plan) -> tuple[ModelFolder, dict[str, Any], list[Event]]:
    """A finished run, its scorecard, and what was told."""
    work = Work(steps.tune(plan))
    events = list(work)
    folder: ModelFolder = work.result
    return folder, json.loads((folder.path / "scorecard.json").read_text(encoding="utf-8")), events


def parts(ready: Prepared) -> tuple[int, int, bool]:
    split = ready.rows.split
    return len(split.train), len(split.valid), split.crossed


def one_of_each(photos: Path) -> Path:
    """One image of each label, in a folder of their own."""
    for file in sorted(photos.glob("*/*"))[::12]:
        (photos.parent / "one" / file.parent.name).mkdir(parents=True)
        shutil.copy(file, photos.parent / "one" / file.parent.name)
    return photos.parent / "one"


# What is held out


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, (36, 36, True)),
        ({"train.method": "probe"}, (36, 36, True)),
        ({"train.method": "full"}, (32, 4, False)),
        ({"train.augment": "strong"}, (32, 4, False)),
        ({"train.epochs": 2}, (32, 4, False)),
        ({"data.validation": "held-out"}, (32, 4, False)),
    ],
)  # fmt: skip
def test_of_few_images_none_is_held_out_unless_something_is_asked_for_that_needs_some(
    photos: Path, network: Path, settings: dict[str, Any], expected: tuple[int, int, bool]
) -> None:
    assert parts(prepare(plan_of(photos, network, **settings))) == expected


def test_images_to_validate_on_are_what_is_validated_on(photos: Path, network: Path) -> None:
    valid = str(images_folder(photos.parent / "valid", 9, seed=3))

    assert parts(prepare(plan_of(photos, network, **{"data.valid": valid}))) == (36, 9, False)


def test_trials_of_a_search_hold_images_out(photos: Path, network: Path) -> None:
    plan = plan_of(photos, network)

    trial = plan.with_settings(alike_in_trials(plan, SearchPlan()))

    assert parts(prepare(trial)) == (32, 4, False)


def test_images_of_several_labels_are_not_crossed(tmp_path: Path, network: Path) -> None:
    images_folder(tmp_path / "photos", 24)
    rows = [f"{file.relative_to(tmp_path)},{file.parent.name}" for file in (tmp_path / "photos").glob("*/*")]
    (tmp_path / "rows.csv").write_text("\n".join(["image,label", *rows]), encoding="utf-8")
    many = {
        "data.path": str(tmp_path / "rows.csv"),
        "model.name": str(network),
        "task.labels_per_row": "many",
    }

    assert not prepare(Plan.build(many)).rows.split.crossed
    with pytest.raises(PlanError) as refused:
        prepare(Plan.build(many | {"data.validation": "crossed"}))
    assert str(refused.value) == (
        "data.validation: 'crossed' works with texts and with images that have one label each, which these rows of "
        "image-classification are not. Leave it out."
    )


# Who competes


def few_images(photos: Path, network: Path) -> Run:
    found = run_of(plan_of(photos, network))
    for _ in compute_features(found):
        pass
    return found


def test_every_candidate_of_few_images_answers_all_rows_at_a_foretold_cost(
    photos: Path, network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = run_of(plan_of(photos, network))
    for _ in features_and_probe(found):
        pass

    rivals = competing(found.ready, trains=False)
    names = ["majority", "colours", "neighbours", "class-means", "probe"]
    assert [one.name for one in rivals] == [one.name for one in found.candidates] == names
    assert not competing(found.ready, trains=True)
    for candidate, fitted in zip(rivals, found.candidates, strict=True):
        assert len(fitted.answers["valid"]) == len(fitted.outputs["valid"]) == 36
        assert candidate.forecast(found.ready, lambda part: 1.0) >= 0
        monkeypatch.setattr(type(candidate), "forecast", lambda *_: 1.0)
        assert foretold(candidate, found.ready, lambda part: 1.0) == (
            1.0 if candidate.crosses_itself else 1.0 + FOLDS
        )
    assert [one.name for one in found.learnt] == ["probe"], "class means are shown, and never kept"


def test_what_does_not_compete_says_why(photos: Path, network: Path, sentence_bert: Path) -> None:
    few, held = (
        prepare(plan_of(photos, network, **{"data.validation": how})) for how in ("auto", "held-out")
    )

    assert CANDIDATES["few-shot"].why_not(few) == "rows have no one label each whose name is a text"
    assert CANDIDATES["tuned"].why_not(few).startswith("nothing is held out that would say when to stop")
    assert CANDIDATES["class-means"].why_not(few) == ""
    assert CANDIDATES["class-means"].why_not(held) == (
        "rows are held out, or have no one label each: it is shown beside the probe of few rows"
    )


def test_candidates_that_learn_once_more_without_each_fold_are_foretold_to(
    photos: Path, network: Path
) -> None:
    few, held = (
        prepare(plan_of(photos, network, **{"data.validation": how})) for how in ("auto", "held-out")
    )
    colours = CANDIDATES["colours"]

    assert foretold(colours, held, lambda part: 1.0) == colours.forecast(held, lambda part: 1.0)
    assert foretold(colours, few, lambda part: 1.0) == 4 * colours.forecast(few, lambda part: 1.0)


def test_the_probe_is_the_discriminant_of_all_images_and_the_class_means_stand_beside_it(
    photos: Path, network: Path
) -> None:
    found = few_images(photos, network)
    features, targets, folds = found.features["train"], found.targets("train"), folds_of(found)
    discriminant = fit_discriminant(features, targets, 3, folds)
    means = fit_discriminant(features, targets, 3, folds, CLASS_MEANS)

    for _ in features_and_probe(found):
        pass

    own = {one.name: one for one in found.candidates}
    tested = found.features["test"]
    assert (own["probe"].outputs["test"].arrays()[""] == discriminant.probe.logits(tested)).all()
    assert (own["class-means"].outputs["test"].arrays()[""] == means.probe.logits(tested)).all()
    held_out = present(discriminant.held_out).astype(np.float32)
    assert (own["probe"].outputs["valid"].arrays()[""] == held_out).all()
    assert found.tuning["probe"] == {
        "shrinkage": discriminant.setting.shrinkage,
        "sharpness": discriminant.setting.sharpness,
    }


# Whole runs


@pytest.mark.slow
def test_a_run_compares_by_cross_validation_and_keeps_what_has_learnt_from_all(
    photos: Path, network: Path
) -> None:
    folder, card, events = run(plan_of(photos, network))

    assert card["rows"] == {"train": 36, "valid": 36, "calibration": 0, "test": 30}
    assert [one["name"] for one in card["candidates"]][-2:] == ["class-means", "probe"]
    assert [event.words for event in events if isinstance(event, Chose)] == ["probe: no dearer one was tried"]
    assert (
        "No layers are trained: none of the 36 training rows is held out, and nothing else would say when to stop. Where they "
        "are unlike what the model has seen before, --method full may learn more of them."
    ) in [event.text for event in events if isinstance(event, Noted)]
    assert card["verdict"]["against"] in ("majority", "colours"), "class means are shown, not counted"
    page = (folder.path / "report.html").read_text(encoding="utf-8")
    assert "lie nearest on the mean, by frozen features; shown, not counted" in page


@pytest.mark.slow
def test_its_model_gives_the_same_logits_in_transformers(photos: Path, network: Path) -> None:
    from transformers import AutoImageProcessor, AutoModelForImageClassification

    folder, _, _ = run(plan_of(photos, network))
    files = sorted((photos.parent / "others").rglob("*.png"))[:6]

    with quiet():
        model = AutoModelForImageClassification.from_pretrained(folder.model_path).eval()
        processor = AutoImageProcessor.from_pretrained(folder.model_path, backend="pil")
    with torch.no_grad():
        logits = model(**processor([Image.open(file) for file in files], return_tensors="pt")).logits.double()

    told = folder.predict(files)
    scaled = torch.softmax(logits / folder.model_record.calibration.temperature, dim=1).numpy()
    labels = list(model.config.id2label.values())
    found = np.array([[row["probabilities"][label] for label in labels] for row in told])
    assert np.abs(found - scaled).max() < 1e-3
    assert told.labels == [labels[at] for at in logits.argmax(1).tolist()]


@pytest.mark.slow
def test_validation_answers_are_of_what_did_not_learn_from_the_image(tmp_path: Path, network: Path) -> None:
    """Labels that nothing shows cannot be told: learnt by heart, they would be."""
    for part, rows in (("photos", 48), ("others", 6)):
        files = sorted(images_folder(tmp_path / f"told {part}", 3 * rows, seed=rows).glob("red/*"))
        for at, file in enumerate(files):
            (tmp_path / part / "ab"[at % 2]).mkdir(parents=True, exist_ok=True)
            shutil.copy(file, tmp_path / part / "ab"[at % 2])

    _, card, _ = run(plan_of(tmp_path / "photos", network))

    assert card["rows"]["valid"] == 48
    assert all(one["valid"] < 0.8 for one in card["candidates"])


# One image a label


@pytest.mark.slow
def test_one_image_a_label_is_enough_beside_images_to_test_on(photos: Path, network: Path) -> None:
    folder, card, events = run(plan_of(one_of_each(photos), network))

    assert card["rows"] == {"train": 3, "valid": 3, "calibration": 0, "test": 30}
    assert card["chosen"] == "probe"
    assert [event.words for event in events if isinstance(event, Chose)] == ["probe: no dearer one was tried"]
    assert card["tuning"]["probe"] == {"shrinkage": 0.7, "sharpness": 8.0}
    assert len(folder.predict(sorted((photos.parent / "others").rglob("*.png")))) == 30


def test_one_image_a_label_by_itself_is_refused_with_what_would_let_it_count(
    photos: Path, network: Path
) -> None:
    settings = plan_of(one_of_each(photos), network).settings()
    del settings["data.test"]
    alone = Plan.build({key: value for key, value in settings.items() if key != "data.allow"})

    with pytest.raises(Exception, match="--allow one-shot"):
        prepare(alone)

    ready = prepare(Plan.build(settings | {"data.allow": ("one-shot", "near-images")}))
    assert (parts(ready), len(ready.rows.split.test)) == ((3, 3, False), 0)
