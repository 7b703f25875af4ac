"""How much a tuned model forgot: its outputs, its states rung by rung, and what a probe reads in them, beside the base's."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from luthier.arrays import Array, Bools, Ints
from luthier.batches.tokens import runs
from luthier.candidates.keeping.impression import BesideBase, Impression
from luthier.candidates.run import Run
from luthier.comparing.fitted import PRETRAINED, Fitted
from luthier.devices import with_threads
from luthier.models.headed import HeadedModel
from luthier.predict import all_features_of
from luthier.scores.divergence import linear_cka
from luthier.scores.intervals import paired_proportions
from luthier.scores.validated import called
from luthier.train.probe.probe import cross_validate, standardised

FEWEST_COMPARED = 8
"""Rows from which on states are compared: the linear CKA of two rows is 1 for any two models, and of few it lies near it."""
TOO_FEW = "General texts were not looked at: the run is too short for enough of them, or they have no labels."


def forgetting(run: Run, kept: Fitted) -> dict[str, Any]:
    """The scorecard's `forgetting`, of the candidate that is kept."""
    if kept.weights is not None and kept.weights.body == PRETRAINED:
        cosine = {"feature_cosine": 1.0} if run.features else {}
        words = "The body is the pre-trained model's own: nothing was forgotten."
        return {"kl_to_base": 0.0, **cosine, "words": words}
    if run.plan.train.keep == "off":
        return {"words": "How much the model forgot was not measured, as --keep off asks for."}
    begin = run.clock()
    comparison, model = BesideBase(run), run.model_of(kept)
    now, rows = comparison.of(model), len(comparison.panel.rows)
    found: dict[str, Any] = {"rows": rows, "over": comparison.knowledge.words}
    if rows >= comparison.knowledge.fewest_rows:
        found["kl_to_base"] = comparison.mean_of(now.said["other"])
    if rows >= FEWEST_COMPARED:
        found["drift"] = drift_of(comparison.base, now)
    found |= of_general(comparison, now, run.plan.run.seed)
    found |= cosine_of(run, comparison, model)
    seconds = comparison.seconds + run.clock() - begin
    words = words_of(found, run.ready.rows.split.valid_from)
    if comparison.panel.texts is None and run.ready.rows.form.reads_texts:
        words += f" {TOO_FEW}"
    return found | {"seconds": round(seconds, 3), "words": words}


def drift_of(base: Impression, now: Impression) -> list[dict[str, Any]]:
    """By rung, the embeddings first, how alike its states still are: linear CKA, 1 where nothing has moved."""
    return [
        {"rung": name, "cka": linear_cka(base.rungs[name], states)}
        for name, states in now.rungs.items()
        if name in base.rungs
    ]


def of_general(comparison: BesideBase, now: Impression, seed: int) -> dict[str, Any]:
    """How well general texts are read before and after: their perplexity, or the share of them whose topic a probe tells."""
    panel, before, after = comparison.panel, comparison.base.general, now.general
    if before is None or after is None:
        return {}
    told: dict[str, Any] = {"texts": panel.general.words, "rows": len(panel.chosen)}
    if comparison.knowledge.reads_on:
        return {
            "general": told | {"perplexity_before": perplexity(before), "perplexity_after": perplexity(after)}
        }
    labels = np.unique(panel.general.targets[panel.chosen], return_inverse=True)[1]
    was_right, is_right = (
        told_by_probe(features, labels, seed).astype(np.float64) for features in (before, after)
    )
    change = paired_proportions(is_right, was_right, seed=seed)
    probed = {"probe_before": float(was_right.mean()), "probe_after": float(is_right.mean())}
    return {"general": told | probed | {"change": change.value, "low": change.low, "high": change.high}}


def perplexity(surprises: Array) -> float:
    """exp of the mean surprise at a token. surprises: (rows, 2) sums in nats, and numbers of tokens."""
    return float(np.exp(surprises[:, 0].sum() / surprises[:, 1].sum()))


def told_by_probe(features: Array, labels: Ints, seed: int) -> Bools:
    """(rows,) whether a linear probe that did not see a row tells its label right, at the strength that does it best.

    The folds follow from the seed and the number of rows alone, so that two models are judged row by row on the same ones.
    """

    def accuracy(logits: Array, targets: Array) -> float:
        return float((logits.argmax(1) == targets).mean())

    scaled, _, _ = standardised(features)
    held = cross_validate(scaled, labels, int(labels.max()) + 1, accuracy, seed)
    best = max(held.logits, key=held.score)
    found: Bools = held.logits[best].argmax(1) == held.targets
    return found


def cosine_of(run: Run, comparison: BesideBase, model: HeadedModel) -> dict[str, Any]:
    """The mean cosine between tuned and pre-trained features of the panel's validation rows; nothing where no candidate needed
    the latter, so that there are none."""
    if not run.features:
        return {}
    panel, ends = comparison.panel, run.ready.examples["valid"].unit_ends
    units = panel.rows if ends is None else runs(ends[panel.rows], ends[panel.rows + 1] - ends[panel.rows])
    before = run.features["valid"][units]
    with with_threads(run.mode.wide):
        by_unit = panel.valid.tokens is not None
        now = all_features_of(model, panel.valid, run.ready.device, by_unit)
    lengths = np.linalg.norm(now, axis=1) * np.linalg.norm(before, axis=1)
    return {"feature_cosine": float(np.mean((now * before).sum(axis=1) / np.maximum(lengths, 1e-12)))}


def words_of(found: Mapping[str, Any], valid_from: str | None) -> str:
    """What was measured, in words. valid_from: what the validation rows are, as a scorecard tells it."""
    rows = called(found["rows"], valid_from)
    if "kl_to_base" in found:
        told = (
            f"On {rows} the tuned model is {found['kl_to_base']:.4g} nats (KL) from the base in its distribution over "
            f"{found['over']}."
        )
    else:
        told = f"{rows} are too few to tell how far the tuned model is from the base in its distribution over {found['over']}."
    if found.get("drift"):
        moved = min(found["drift"], key=lambda one: one["cka"])
        told += f" What moved most is {moved['rung']}, whose states have a CKA of {moved['cka']:.2f} with the base's."
    general = found.get("general")
    if general is None:
        return told
    if "perplexity_before" in general:
        return (
            f"{told} Its perplexity on {general['texts']} was {general['perplexity_before']:.1f} before and is "
            f"{general['perplexity_after']:.1f} now."
        )
    return (
        f"{told} A linear probe on its features tells the topic of {general['rows']:,} of {general['texts']} right in "
        f"{100 * general['probe_after']:.1f} %, on the base's in {100 * general['probe_before']:.1f} % (a change of "
        f"{100 * general['change']:+.1f} points, 95 % interval {100 * general['low']:+.1f} to {100 * general['high']:+.1f})."
    )
