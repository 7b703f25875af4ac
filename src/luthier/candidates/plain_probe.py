"""The probe of the rows with labels, solved for or as an earlier command left it."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

from luthier.arrays import Array, Ints
from luthier.candidates.crossing import folds_of
from luthier.candidates.pool import discriminates, learns_of_few
from luthier.candidates.records import CentredRecord, DiscriminantRecord, ProbeRecord
from luthier.candidates.run import Run
from luthier.candidates.zero_shot import NAMES
from luthier.devices import with_threads
from luthier.records import VersionedRecord
from luthier.tasks.probing import Probing
from luthier.train.probe.centred import Centred, Setting, fit_centred, solve_centred
from luthier.train.probe.discriminant import (
    DISCRIMINANTS,
    Discriminant,
    Family,
    Whitening,
    fit_discriminant,
    unpenalised,
)
from luthier.train.probe.half_labelled import Solve
from luthier.train.probe.probe import EXACT, Probe, fit_probe, solve_probe

HELD_OUT = "held_out"
"""The key of what a probe gave for rows that it did not see."""

Kind = TypeVar("Kind", ProbeRecord, CentredRecord, DiscriminantRecord)
"""What stands beside the weights of a probe."""

Solved = Callable[[Array, Array], Probe]
"""The probe of some features, and of what is learnt there."""


@dataclass(frozen=True)
class Plain:
    """The probe of the rows with labels."""

    probe: Probe
    solved: Solved
    """The probe of other rows, in the same setting."""
    solve: Solve | None
    """The same of rows that count unlike each other; None of a discriminant."""
    held_out: Array | None = None
    """(training rows, outputs) logits of those that were held out in cross-validation, where that stands for validation."""


def plain_probe(run: Run) -> Plain:
    """The probe of the rows with labels: of many rows, of few whose labels are texts, and of few others."""
    if not learns_of_few(run.ready):
        return of_many_rows(run)
    with with_threads(run.mode.wide):
        return discriminant_of_few(run) if discriminates(run.ready) else centred_of_few(run)


def of_many_rows(run: Run) -> Plain:
    """The probe whose strength cross-validation finds (train/probe/probe.py)."""
    how = probing(run)
    probe = fit_or_reuse(run, how, run.targets("train"))
    run.tuning["probe"] = probe_record(probe)
    solve = of_strength(how, probe.strength)
    return Plain(probe, evenly(solve), solve)


def centred_of_few(run: Run) -> Plain:
    """The probe that is pulled to the labels' words (train/probe/centred.py)."""
    how, targets, words = probing(run), run.targets("train"), run.features.get(NAMES)
    left = left_behind(run, CentredRecord)
    if left is None:
        begin = run.clock()
        found = fit_centred(run.features["train"], targets, words, how.outputs, folds_of(run))
        record = CentredRecord(**asdict(found.setting), seconds=run.clock() - begin)
        save(run, found.probe, record, found.held_out)
    else:
        arrays, known = left
        setting = Setting(known.sharpness, known.strength)
        probe = Probe(arrays["weight"], arrays["bias"], setting.strength, {})
        found = Centred(probe, setting, arrays.get(HELD_OUT))
    run.tuning["probe"] = asdict(found.setting)

    def solve(features: Array, targets: Ints, weights: Array | None, tolerance: float) -> Probe:
        return solve_centred(features, targets, words, how.outputs, found.setting, weights, tolerance)

    return Plain(found.probe, evenly(solve), solve, found.held_out)


def discriminant_of_few(run: Run) -> Plain:
    """A discriminant (train/probe/discriminant.py)."""
    outputs = probing(run).outputs
    left = left_behind(run, DiscriminantRecord)
    if left is None:
        begin = run.clock()
        found = fit_discriminant(run.features["train"], run.targets("train"), outputs, folds_of(run))
        record = DiscriminantRecord(**asdict(found.setting), seconds=run.clock() - begin)
        save(run, found.probe, record, found.held_out)
    else:
        arrays, known = left
        probe = unpenalised(arrays["weight"], arrays["bias"])
        found = Discriminant(probe, Whitening(known.shrinkage, known.sharpness), arrays.get(HELD_OUT))
    run.tuning["probe"] = asdict(found.setting)
    solved = discriminant_as(replace(DISCRIMINANTS, usual=found.setting), outputs)
    return Plain(found.probe, solved, None, found.held_out)


def of_strength(how: Probing, strength: float) -> Solve:
    """How a probe of one strength is solved for."""

    def solve(features: Array, targets: Ints, weights: Array | None, tolerance: float) -> Probe:
        return solve_probe(features, targets, how.outputs, strength, weights, tolerance)

    return solve


def evenly(solve: Solve) -> Solved:
    """The same where all rows count alike."""

    def solved(features: Array, targets: Array) -> Probe:
        return solve(features, targets, None, EXACT)

    return solved


def discriminant_as(family: Family, outputs: int) -> Solved:
    """Discriminants of other rows in a family's usual setting."""

    def solved(features: Array, targets: Array) -> Probe:
        return fit_discriminant(features, targets, outputs, None, family).probe

    return solved


def fit_or_reuse(run: Run, how: Probing, targets: Array) -> Probe:
    """The probe, solved for, or as an earlier command left it."""
    left = left_behind(run, ProbeRecord)
    if left is not None:
        arrays, known = left
        scores = {float(strength): score for strength, score in known.cross_validated.items()}
        return Probe(arrays["weight"], arrays["bias"], known.strength, scores)

    begin = run.clock()
    to_learn, features = how.to_learn(targets), how.read(run.features["train"])
    with with_threads(run.mode.wide):
        probe = fit_probe(
            features, to_learn, how.outputs, how.fit_score, run.plan.run.seed, run.clusters_of_units("train")
        )
    record = ProbeRecord.of(probe_record(probe) | {"seconds": run.clock() - begin})
    save(run, probe, record)
    return probe


def probing(run: Run) -> Probing:
    """How the run's task is learnt by a linear head."""
    assert run.task.probe is not None, "it competes only where there is a way"
    return run.task.probe


def left_behind(run: Run, kind: type[Kind]) -> tuple[dict[str, Array], Kind] | None:
    """The probe as an earlier command has left it, whose seconds are counted then; None where it is to be solved for."""
    saved = run.shared.saved(artefact(run), kind)
    if saved is None or not {"weight", "bias"} <= saved[0].keys():
        return None
    run.watch.earlier["probe"] = saved[1].seconds
    return saved


def save(run: Run, probe: Probe, record: VersionedRecord, held_out: Array | None = None) -> None:
    """Keep the probe for later commands. held_out: as in `Plain`."""
    arrays = {"weight": probe.weight, "bias": probe.bias}
    run.shared.save(artefact(run), arrays if held_out is None else arrays | {HELD_OUT: held_out}, record)


def artefact(run: Run) -> str:
    """The name of the probe's artefact. Its folds are drawn with the seed."""
    return f"probe-{run.plan.run.seed}"


def probe_record(probe: Probe) -> dict[str, Any]:
    """The probe's strength and how it was found, as JSON."""
    return {
        "strength": probe.strength,
        "cross_validated": {str(c): score for c, score in probe.cross_validated.items()},
    }
