"""One plan on several seeds: how much of a score is luck of the seed, and the best by validation kept.

Each seed has a run of its own in OUT/seeds, over the same split, which shares rows, tokens and frozen features with the others.
The folder of the one that is kept is OUT itself.
"""

import shutil
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from luthier.errors import Interrupted, PlanError, RunError
from luthier.events import Event, Noted
from luthier.files import link_or_copy, whole_folder, write_json, write_text
from luthier.folder.in_use import LOCK
from luthier.folder.model_folder import ModelFolder
from luthier.folder.run_folder import FOLDERS
from luthier.folder.scorecard import FILE as SCORECARD
from luthier.folder.scorecard import Scorecard
from luthier.folder.scorecard_records import ScorecardRecord
from luthier.hashes import hash_json
from luthier.plan.duration import seconds_of
from luthier.plan.places import placed
from luthier.plan.plan import Plan
from luthier.prepare.memo import Memo
from luthier.prepare.prepare import prepare
from luthier.records import SEAL, VersionedRecord, read_sealed, sealed, stamped, write_sealed
from luthier.report.card import model_card
from luthier.report.page import write_report
from luthier.report.records import read_records
from luthier.scores.metrics import metric_named
from luthier.scores.validated import LEARNT, best_by
from luthier.steps.tune import tune

SEEDS = "seeds"
"""The folder inside OUT that holds a run for each seed."""
RECORD = "seeds.json"
REPORT = "report.html"
MEND = "Put back the file that was there, or choose another folder with --out."


class SeedsRecord(VersionedRecord):
    """The record seeds.json: which plan is run on how many seeds. It is there before the first run is."""

    key: str
    count: int


@dataclass(frozen=True)
class Seeded:
    """A finished run on one seed."""

    seed: int
    path: Path
    scorecard: Scorecard

    @property
    def valid(self) -> float:
        """The score of the kept candidate on the validation rows."""
        card = self.scorecard.card
        found = next(one.valid for one in card.candidates or () if one.name == card.chosen)
        assert found is not None, "a run of today tells of validation"
        return found

    @property
    def valid_from(self) -> str | None:
        """What that score is of, as a scorecard tells it."""
        return self.scorecard.card.valid_from

    @property
    def test(self) -> float:
        return self.scorecard.test[self.scorecard.metric].value


def tune_seeds(
    plan: Plan, count: int, stop: Callable[[], bool] = lambda: False
) -> Generator[Event, None, ModelFolder]:
    """Tune a plan on so many seeds, from its own on; yield what happens, return the folder of the best by validation.

    Every run has the same rows for training, validation and test. A budget is divided among them. Raises as `tune` does; the same
    command, or `resume`, goes on with what an earlier one began.
    """
    out = Path(plan.run.out) if plan.run.out else default_folder(plan, count)
    known = found_again(out, plan, count)
    if (out / REPORT).is_file():
        yield Noted(f"{out} holds the finished runs of {count} seeds: nothing is left to do.", 0.0)
        return ModelFolder(out)
    memo, runs = Memo(out / SEEDS / "shared"), []
    if not known:
        refuse_what_none_could_do(plan_of_seed(plan, plan.run.seed, count, out), count, memo)
        begin(out, plan, count)
    for at, seed in enumerate(range(plan.run.seed, plan.run.seed + count), start=1):
        yield Noted(f"Seed {seed}, {at} of {count}.", 0.0)
        where = out / SEEDS / str(seed)
        try:
            yield from tune(plan_of_seed(plan, seed, count, where), stop, memo)
        except Interrupted:
            raise Interrupted(
                f"Interrupted on seed {seed}, {at} of {count}. `luthier resume {out}` goes on with what is left."
            ) from None
        runs.append(Seeded(seed, where, Scorecard.read(where)))
    kept = best_of(runs)
    keep(kept, runs, out)
    yield Noted(words_of(kept, runs), 0.0)
    return ModelFolder(out)


def default_folder(plan: Plan, count: int) -> Path:
    """The default folder, runs/<name of the data>-seeds-<hash>: the same command finds the same folder again."""
    name = Path(plan.data.path).name.split(".")[0]
    return Path("runs") / f"{name}-seeds-{key_of(plan, count)[:8]}"


def key_of(plan: Plan, count: int) -> str:
    """Hash of what is asked for. Whether the data have changed is for each run to tell."""
    named = "name" in plan.model.model_fields_set
    return hash_json([plan.identity(), plan.data.path, plan.model.name if named else None, count])


def refuse_what_none_could_do(first: Plan, count: int, memo: Memo) -> None:
    """Raise InputError for what the run of no seed could use, before anything is written. first: the plan of the first seed."""
    if not len(prepare(first, memo).rows.split.test):
        raise PlanError(
            f"--seeds {count}: there are no test rows, so nothing would tell how far scores depend on the seed. Name rows to "
            "test on with --test FILE, or leave --seeds out."
        )


def found_again(out: Path, plan: Plan, count: int) -> bool:
    """Whether the folder is that of these runs, begun by an earlier command. Raises RunError where it holds anything else's
    work."""
    record, known = SeedsRecord(key=key_of(placed(plan, out), count), count=count), record_of(out)
    if known is None and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RunError(
            f"{out}: is not empty and not the folder of runs on several seeds. Choose another folder with --out."
        )
    if known is not None and (known.key, known.count) != (record.key, record.count):
        raise RunError(
            f"{out}: holds the runs of another plan or of another number of seeds, {known.count}. Choose another folder with "
            "--out, or delete this one if it is not needed."
        )
    return known is not None


def begin(out: Path, plan: Plan, count: int) -> None:
    """Make the folder."""
    write_text(out / SEEDS / "plan.toml", placed(plan, out).to_toml())
    write_sealed(out / RECORD, SeedsRecord(key=key_of(placed(plan, out), count), count=count))


def record_of(out: Path) -> SeedsRecord | None:
    """What a folder says of its seeds; None where it is none of several seeds. Raises RunError for what cannot be believed."""
    try:
        return read_sealed(out / RECORD, SeedsRecord, within=out, mend=MEND)[0]
    except (FileNotFoundError, NotADirectoryError):
        return None


def plan_of_seed(plan: Plan, seed: int, count: int, out: Path) -> Plan:
    """The plan of one of the runs: the same split, whatever the seed."""
    settings: dict[str, Any] = {
        "run.seed": seed,
        "data.split_seed": plan.split_seed,
        "run.out": str(out),
    }
    if plan.run.budget is not None:
        settings["run.budget"] = f"{seconds_of(plan.run.budget) / count:.3f}s"
    return plan.with_settings(settings)


def best_of(runs: Sequence[Seeded]) -> Seeded:
    """The run with the best score on the validation rows, and the first of equals; the first one where no row is held out."""
    if runs[0].valid_from == LEARNT:
        return runs[0]
    goodness = metric_named(runs[0].scorecard.metric).goodness
    return max(runs, key=lambda one: (goodness(one.valid), -one.seed))


def told(kept: Seeded, runs: Sequence[Seeded]) -> dict[str, Any]:
    """What the scorecard of the kept run says of all seeds."""
    return {
        "n": len(runs),
        "seeds": [one.seed for one in runs],
        "kept": kept.seed,
        "valid": spread([one.valid for one in runs]),
        "test": spread([one.test for one in runs]),
    }


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Mean and standard deviation of scores over seeds, with the scores."""
    return {
        "mean": float(np.mean(values)),
        "sd": float(np.std(values, ddof=1)) if len(values) > 1 else None,
        "values": list(values),
    }


def words_of(kept: Seeded, runs: Sequence[Seeded]) -> str:
    """A sentence on all seeds."""
    metric, found = kept.scorecard.metric, told(kept, runs)["test"]
    low, high = min(found["values"]), max(found["values"])
    sd = "" if found["sd"] is None else f", standard deviation {found['sd']:.4f}"
    return (
        f"Over {len(runs)} seeds the {metric_named(metric).words} on the test rows is {found['mean']:.4f} on average{sd}, from "
        f"{low:.4f} to {high:.4f}; seed {kept.seed}, {best_by(kept.valid_from)}, is kept."
    )


def keep(kept: Seeded, runs: Sequence[Seeded], out: Path) -> None:
    """Make OUT the folder of the kept run, with all seeds in its scorecard and card. Its report comes last, as any run's."""
    for name in FOLDERS:
        if (kept.path / name).is_dir():
            with whole_folder(out / name) as part:
                for path in files_in(kept.path / name):
                    target = part / path.relative_to(kept.path / name)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    link_or_copy(path, target)
    for path in sorted(kept.path.iterdir()):
        if path.is_file() and path.name not in (SCORECARD, REPORT):
            shutil.copyfile(path, out / path.name)
    record = {key: value for key, value in kept.scorecard.record.items() if key != SEAL}
    record |= {"seeds": told(kept, runs)}
    # The other seeds are no earlier looks: the choice among them was made by validation.
    if "looks" in runs[0].scorecard.record:
        record["looks"] = runs[0].scorecard.record["looks"]
    write_json(out / SCORECARD, sealed(stamped(record, ScorecardRecord)))
    card = model_card(read_records(out))
    for folder in (out / "model", out):
        write_text(folder / "README.md", card)
    write_report(out)


def files_in(folder: Path) -> Iterator[Path]:
    """The files of a folder, but for the lock of whoever was at work in it."""
    yield from (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != LOCK)
