"""Before anything learns from labels: the body reads rows without any, and is kept where that helps a probe beyond noise."""

from collections.abc import Generator, Iterator
from dataclasses import replace

from torch import Tensor

from luthier.arrays import Array
from luthier.candidates.adapting.lesson import Lessons, adapts, lessons_of
from luthier.candidates.adapting.training import CHECKPOINTS, NAME, Learnt, inner, learn
from luthier.candidates.features import parts_read, read_features, with_asked
from luthier.candidates.records import AdaptedRecord, FeaturesRecord
from luthier.candidates.run import Run
from luthier.devices import with_threads
from luthier.errors import ModelError
from luthier.events import Event, Noted
from luthier.folder.unlabelled_records import Change, ScoreChange
from luthier.scores.decimals import decimals
from luthier.train.probe.better_features import Gain, gain_of

FEATURES = "features-adapted"
"""The artefact of the features of the body that has read these rows."""


def adapt_body(run: Run) -> Iterator[Event]:
    """Let the body learn from the rows without labels, if there are any. Where it is kept, the features are its own from here on,
    and `ready.adapted` says where its weights are. With a teacher it is the teacher's answers to them that are learnt, later.
    """
    if run.ready.unlabelled is None or not adapts(run.ready):
        return
    lessons = lessons_of(run.ready)
    if isinstance(lessons, str):
        run.tuning["unlabelled"] = {"rows": len(run.ready.unlabelled.inputs), "kept": False, "words": lessons}
        return  # said before
    saved = run.shared.saved(NAME, AdaptedRecord)
    if saved is None:
        record = yield from adapted(run, lessons)
        if record is None:
            raise run.interrupted()
    else:
        record = saved[1]
        run.watch.earlier["adapt"] = run.watch.earlier.get("adapt", 0.0) + record.seconds
    if record.kept:
        yield from taken(run)
    run.watch.tokens += record.tokens
    run.tuning["unlabelled"] = record.told()
    yield Noted(record.words, run.clock())


def adapted(run: Run, lessons: Lessons) -> Generator[Event, None, AdaptedRecord | None]:
    """Train, compare, and save what came of it; None where somebody asked to stop."""
    begin, model = run.clock(), run.ready.model
    try:
        learnt = yield from learn(run, lessons)
    except ModelError as error:
        words = f"The body does not learn from the rows without labels: {error}"
        record = AdaptedRecord(rows=lessons.rows, held_out=0, kept=False, words=words)
        run.shared.save(NAME, {}, record)
        return record
    if learnt is None:
        return None
    gain: Gain | None = None
    before = {name: tensor.clone() for name, tensor in inner(model).state_dict().items()}
    if learnt.share > 0:
        exchange(run, learnt.body)
        after = yield from read_features(run, ["train"])
        gain = compared(run, run.features["train"], after["train"])
    kept = gain is not None and gain.beyond_noise
    arrays: dict[str, Array] = {}
    if kept:
        arrays = {name: tensor.cpu().numpy() for name, tensor in model.body.state_dict().items()}
    else:
        exchange(run, before)
    record = AdaptedRecord(
        rows=lessons.rows,
        held_out=len(lessons.parts[1]),
        steps=learnt.steps,
        why=learnt.why,
        tokens=learnt.tokens,
        seconds=run.clock() - begin,
        share=learnt.share,
        loss=Change(before=learnt.before, after=learnt.after),
        score=None if gain is None else ScoreChange(before=gain.before, after=gain.after, error=gain.error),
        kept=kept,
        words=words_of(run, learnt, gain),
    )
    run.shared.save(NAME, arrays, record)
    run.checkpoints(CHECKPOINTS).forget()  # not before: what comes after training may be stopped too
    return record


def compared(run: Run, before: Array, after: Array) -> Gain | None:
    """What a probe comes to on the training rows that it did not see, with the features before and after."""
    how = run.task.probe
    assert how is not None, "there is a probe"
    targets = how.to_learn(run.targets("train"))
    with with_threads(run.mode.wide):
        return gain_of(
            how.read(before), how.read(after), targets, how, run.plan.run.seed, run.clusters_of_units("train")
        )


def exchange(run: Run, body: dict[str, Tensor]) -> None:
    """Give the run's model another body. Layers that the body of `body` lacks, such as a pooler, stay."""
    found = inner(run.ready.model).load_state_dict(body, strict=False)
    assert all("pooler" in name for name in found.missing_keys), "both are of one architecture"
    run.ready.masters.refresh()


def taken(run: Run) -> Iterator[Event]:
    """Go on with the body that has read the rows: its weights, and its features of all rows."""
    path = run.shared.arrays_path(NAME)
    run.ready = replace(run.ready, beside=replace(run.ready.beside, adapted=path))
    run.ready.put_adapted(run.ready.model)
    run.ready.masters.refresh()
    saved, parts = run.shared.saved(FEATURES, FeaturesRecord), list(parts_read(run.ready))
    if saved is not None and {part: found.shape for part, found in saved[0].items()} == {
        part: run.features[part].shape for part in parts
    }:
        run.features = with_asked(run, saved[0])
        run.watch.earlier["adapt"] = run.watch.earlier.get("adapt", 0.0) + saved[1].seconds
        return
    begin = run.clock()
    features = yield from read_features(run, parts)
    run.shared.save(FEATURES, features, FeaturesRecord(seconds=run.clock() - begin))
    run.features = with_asked(run, features)


def words_of(run: Run, learnt: Learnt, gain: Gain | None) -> str:
    """What came of it, with the numbers."""
    rows = len(run.ready.unlabelled.inputs) if run.ready.unlabelled is not None else 0
    read = f"The body learnt from {rows:,} rows without labels in {learnt.steps:,} steps"
    if learnt.share == 0:
        return f"{read}, and knew those that were held out no better: it stays as it came."
    losses = f"loss on held-out ones {decimals(learnt.before)} to {decimals(learnt.after)}"
    went = f"{read} ({100 * learnt.share:.0f} % of the way; {losses})"
    if gain is None:
        return f"{went}; the training rows are too few to tell whether that helps: it stays as it came."
    scores = (
        f"in cross-validation over the training rows a probe comes to {gain.before:.3f} without and {gain.after:.3f} with it, "
        f"{gain.difference:+.3f} with a standard error of {gain.error:.3f}"
    )
    if gain.beyond_noise:
        return f"{went}: {scores}. It is kept."
    return f"{went}: {scores}, which is not beyond noise. It stays as it came."
