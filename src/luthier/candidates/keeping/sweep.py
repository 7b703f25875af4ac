"""`--keep strong`: of the models between the base and what was tuned from it, the one that forgot least and is as good.

Nothing is trained for it. WiSE-FT (Wortsman et al. 2021, arXiv:2109.01903) and LiNeS (Wang et al. 2024, arXiv:2410.17146) differ
in how far each rung goes (models/ladder/interpolation.py); both are tried, and the validation rows say how far is far enough.
"""

import math
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from luthier.candidates.keeping.impression import BesideBase
from luthier.candidates.probe import last_layer
from luthier.candidates.records import KeepingRecord
from luthier.candidates.run import Run
from luthier.comparing.outcome import written
from luthier.events import Advanced, Event, Noted, Started
from luthier.files import clear
from luthier.models.headed import HeadedModel
from luthier.models.ladder.interpolation import SWEPT, TUNED_WHOLE, Point, interpolated, scale_of_each
from luthier.models.ladder.ladder import Ladder
from luthier.models.lora import LINEAR, scale_written
from luthier.plan.sections import TrainPlan
from luthier.scores.metrics import metric_named
from luthier.tasks.answers import Answers
from luthier.tasks.calibration import Calibration
from luthier.tasks.task import Task

NAME = "kept"
"""The artefact of the weights that are kept, and the key of the body that has them."""


LOOKS = len(SWEPT) + 1
"""How many models are tried: the validation rows are answered so many times."""


def keeps_between(plan: TrainPlan, task: Task) -> bool:
    """Whether what is kept is looked for between the base and the tuned model: as asked for, or as the task wants it."""
    return plan.keep == "strong" or (task.learning.interpolated and plan.keep != "off")


def looks_after_training(plan: TrainPlan, task: Task) -> int:
    """How often the validation rows are answered once training is over, to find what is kept."""
    return LOOKS if keeps_between(plan, task) else 0


@dataclass(frozen=True)
class Tried:
    """A point, and what the model there comes to."""

    point: Point
    answers: Answers
    score: float
    kl: float
    """KL(base || model) in nats, over the panel's validation rows."""


@dataclass(frozen=True)
class Ends:
    """The base's weights and the tuned ones, by name: between them a model is looked for. What has several names is held once."""

    base: Mapping[str, Tensor]
    tuned: Mapping[str, Tensor]

    def at(self, point: Point, ladder: Ladder) -> dict[str, Tensor]:
        """The weights at a point."""
        scales = scale_of_each(list(self.tuned), ladder, point.scales(ladder))
        return interpolated(self.base, self.tuned, scales)


def keep_strongly(run: Run) -> Iterator[Event]:
    """Put the weights that are to be kept into the model, which has the tuned ones; a point that an earlier command chose is
    taken again. What came of it goes to `run.tuning`."""
    saved = run.folder.saved(NAME, KeepingRecord)
    if saved is None:
        record = yield from swept(run)
    else:
        run.ready.model.load_state_dict({name: torch.from_numpy(array) for name, array in saved[0].items()})
        record = saved[1]
        run.watch.earlier["train"] = run.watch.earlier.get("train", 0.0) + record.seconds
    scale_adapter(run, record)
    run.ready.masters.refresh()
    run.holder = NAME
    told = record.told() | {"metric": run.task.metric}
    run.tuning["keeping"] = told | {"words": words_of(told)}
    yield Noted(run.tuning["keeping"]["words"], run.clock())


def swept(run: Run) -> Generator[Event, None, KeepingRecord]:
    """Try all points, leave the model at the one that is kept, and save it."""
    begin, model, ladder = run.clock(), run.ready.model, run.ready.ladder
    yield Started(NAME, begin, LOOKS)
    ends, comparison = ends_of(run), BesideBase(run)
    tried: list[Tried] = []
    for point in (TUNED_WHOLE, *SWEPT):
        put(model, ends.at(point, ladder))
        tried.append(tried_at(run, comparison, point))
        yield Advanced(len(tried), run.clock())
        if run.stop():
            raise run.interrupted()
    near = within_noise(run, tried)
    kept = least_forgetful(tried, near)
    put(model, ends.at(tried[kept].point, ladder))
    record = KeepingRecord.of(record_of(tried, near, kept) | {"seconds": run.clock() - begin})
    run.folder.save(NAME, {name: tensor.cpu().numpy() for name, tensor in model.state_dict().items()}, record)
    return record


def scale_adapter(run: Run, record: KeepingRecord) -> None:
    """Let the adapter that stands beside the model add what the model has of it. An adapter that learns lengths and directions
    apart has no such share: it goes, and the model alone has what was kept."""
    folder, kept, ladder = run.folder.path / "adapter", record.points[record.kept], run.ready.ladder
    point = Point(kept.way, kept.alpha)
    if point == TUNED_WHOLE or not folder.is_dir():
        return
    if run.plan.train.adapter not in LINEAR:
        clear(folder)
        return
    names = [name for rung in ladder.rungs for name in rung.parameters]
    scales = scale_of_each(names, ladder, point.scales(ladder))
    scale_written(folder, lambda name: scales[f"body.{name}"])


def weights_of(model: HeadedModel) -> dict[str, Tensor]:
    """The parameters and buffers of a model, by name, each once."""
    return {name: weight.data for name, weight in (*model.named_parameters(), *model.named_buffers())}


def put(model: HeadedModel, weights: Mapping[str, Tensor]) -> None:
    """Give a model other weights, in the place of its own."""
    for name, tensor in weights_of(model).items():
        tensor.copy_(weights[name])


def ends_of(run: Run) -> Ends:
    """The base's weights and the tuned ones.

    A base has no head for the task. In WiSE-FT both ends are whole models, the head of the zero-shot one included, and all of it
    is interpolated (section 3): what answers at the base's end here is the probe, solved for on its features, so the head goes
    from the probe's to the tuned one as the body goes. Under a body near the base's the tuned head alone would be asked of
    features that it never saw. Where there is no probe the head stays as it was tuned, unless it came with the base.
    """
    tuned = {name: tensor.clone() for name, tensor in weights_of(run.ready.model).items()}
    pretrained = run.ready.untrained()
    answers = run.probe is not None and not run.plan.model.hidden
    if run.probe is not None and answers:
        run.probe.start(last_layer(pretrained.head))
    base = weights_of(pretrained)
    if not answers and not pretrained.knows:
        base |= {name: tensor for name, tensor in tuned.items() if name.startswith("head.")}
    # What never moved is held once.
    same = {name for name, tensor in tuned.items() if torch.equal(base[name].to(tensor.device), tensor)}
    return Ends({name: tuned[name] if name in same else base[name] for name in tuned}, tuned)


def tried_at(run: Run, comparison: BesideBase, point: Point) -> Tried:
    """What the model in memory comes to on the validation rows, uncalibrated."""
    task, valid = run.task, run.ready.examples["valid"]
    outputs, plain = run.infer(run.ready.model, "valid"), Calibration()
    decided = plain if task.calibrating is None else task.calibrating.decide(plain, outputs, valid)
    answers = task.answer(outputs, decided, valid)
    return Tried(point, answers, task.score(answers, valid.targets), comparison.divergence(run.ready.model))


def within_noise(run: Run, tried: Sequence[Tried]) -> list[bool]:
    """Which points are within one standard error of the best on validation, of the difference on the same rows."""
    task, targets, seed = run.task, run.targets("valid"), run.plan.run.seed
    measures = {id(one): task.measure(one.answers, targets, run.clusters("valid")) for one in tried}
    best = max(tried, key=lambda one: task.goodness(one.score))

    def near(one: Tried) -> bool:
        if one is best:
            return True
        gap = task.goodness(best.score) - task.goodness(one.score)
        error = measures[id(best)].standard_error(measures[id(one)], seed)
        return gap <= error or math.isclose(gap, error)  # of shares the two are often equal but for rounding

    return [near(one) for one in tried]


def least_forgetful(tried: Sequence[Tried], near: Sequence[bool]) -> int:
    """The place of the point with the smallest KL to the base, of those that are near; of equal ones the first."""
    return min((at for at in range(len(tried)) if near[at]), key=lambda at: tried[at].kl)


def record_of(tried: Sequence[Tried], near: Sequence[bool], kept: int) -> dict[str, Any]:
    """The curve of score against knowledge kept, and the point that was chosen, as JSON."""
    points = [
        {"way": one.point.way, "alpha": one.point.alpha, "score": one.score, "kl": one.kl, "near": close}
        for one, close in zip(tried, near, strict=True)
    ]
    return {"points": points, "kept": kept}


def words_of(record: Mapping[str, Any]) -> str:
    """What was kept, in words."""
    points = record["points"]
    whole, kept = points[0], points[record["kept"]]
    near = sum(point["near"] for point in points)
    told = (
        f"Of {len(points)} models between the base and the tuned one {near} {'is' if near == 1 else 'are'} within one standard "
        "error of the best on the validation rows. "
    )
    if record["kept"] == 0:
        return f"{told}The tuned weights are kept whole: none that is as good forgets less."
    metric, point = record["metric"], Point(kept["way"], kept["alpha"])
    here, there = (f"{written(metric, one['score'])} {metric_named(metric).words}" for one in (kept, whole))
    return (
        f"{told}The one that is kept has {point.words}: {here} where the tuned weights have {there}, and a KL to the base of "
        f"{kept['kl']:.4g} nats where they have {whole['kl']:.4g}."
    )
