"""The metrics there are: how each is called, said in words, which way it is better, and how it is measured for every task.

A new metric is a row here. How it is counted stands in the module of `scores/` that has its definition and source.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from luthier.arrays import Array, Floats, Ints
from luthier.scores import classification, entities, generated, multilabel, regression, retrieval
from luthier.scores.measures import Measure, OfAll, OfSome, PerRow


@dataclass(frozen=True)
class Metric:
    """A score by its name in the scorecard."""

    title: str
    meaning: str
    measures: Mapping[str, Callable[..., Measure]]
    """For each task that has the metric, by name: the function that measures it from what such a task knows of its answers."""
    judges: tuple[str, ...] = ()
    """Names of the tasks that may be judged by the metric: there it chooses settings, stops training and decides."""
    higher: bool = True
    """Whether a higher value is better."""
    percent: bool = False
    """Whether values are written as percentages; differences are then in points."""
    unit: str = ""
    """The unit of a value, such as "nats", where it is neither a share nor a plain number."""
    inside: str = ""
    """The title within a sentence, where that is more than its first letter made small."""
    meanings: Mapping[str, str] = field(default_factory=dict)
    """The meaning in words, by task, where a task gives the metric a meaning of its own."""
    hub: str = ""
    """The hub's name of the metric, where it differs from ours."""
    hub_arguments: Mapping[str, str] = field(default_factory=dict)

    def told(self, task: str = "") -> str:
        """The metric's meaning and unit in words, and its direction where lower is better.

        >>> METRICS["log_loss"].told()
        'the mean surprise at the right answer, in nats; lower is better'
        """
        unit = f", in {self.unit}" if self.unit else ""
        return self.meanings.get(task, self.meaning) + unit + ("" if self.higher else "; lower is better")

    def goodness(self, value: float) -> float:
        """A value as all that compares takes it, higher being better: itself, or its negative where lower values are better.

        >>> METRICS["accuracy"].goodness(0.9), METRICS["log_loss"].goodness(0.4)
        (0.9, -0.4)
        """
        return value if self.higher else -value

    def gain(self, ours: float, theirs: float) -> float:
        """How much better our value is than theirs.

        >>> METRICS["accuracy"].gain(3.0, 2.5), METRICS["log_loss"].gain(3.0, 2.5)
        (0.5, -0.5)
        """
        return self.goodness(ours) - self.goodness(theirs)

    def best(self, values: Iterable[float]) -> float:
        """The best of some values.

        >>> METRICS["accuracy"].best([0.7, 0.9]), METRICS["log_loss"].best([0.7, 0.9])
        (0.9, 0.7)
        """
        return max(values, key=self.goodness)

    @property
    def words(self) -> str:
        """The title within a sentence.

        >>> METRICS["accuracy"].words, METRICS["f1"].words
        ('accuracy', 'F1')
        """
        return self.inside or self.title[0].lower() + self.title[1:]


# What tasks know of their answers


@dataclass(frozen=True)
class Classified:
    """Answers of a task that gives a row one class of several, or any number of them."""

    targets: Array
    """(rows,) class numbers, or (rows, classes) truth values."""
    predicted: Array
    """The predictions, in the shape of the targets."""
    classes: int
    probabilities: Floats | None = None
    """(rows, classes) calibrated probabilities; None where there are none."""

    @property
    def many(self) -> bool:
        return self.targets.ndim == 2

    @property
    def right(self) -> Floats:
        """(rows,) 1 where the whole answer is right, else 0."""
        how = multilabel.accuracy_per_row if self.many else classification.accuracy_per_row
        return how(self.targets, self.predicted)


@dataclass(frozen=True)
class Tagged:
    """Answers of a task that marks entities in rows of words."""

    counts: Ints
    """(rows, types, 3) entities that are right, predicted and true, as `entities.counts_per_row` counts them."""
    right: Floats
    """(words,) 1 where the tag is right, else 0."""
    rows: Ints | None = None
    """(words,) the place of the row that each word is of; None where each is of a row of its own."""


@dataclass(frozen=True)
class Estimated:
    """Answers that are numbers, or stand for numbers."""

    targets: Floats
    """(rows,)"""
    predicted: Floats
    """(rows,)"""


@dataclass(frozen=True)
class Answered:
    """Answers to questions, each measured by itself."""

    exact: Floats
    """(rows,) 1 where the answer is right word for word, else 0."""
    f1: Floats
    """(rows,) overlap with the nearest right answer, word by word."""
    answerable: NDArray[np.bool_]
    """(rows,) whether there is an answer."""


@dataclass(frozen=True)
class Retrieved:
    """Answers of a task whose vectors should lie nearest to the vectors they belong with."""

    ranks: Ints
    """(rows,) the rank, from 1, of the first vector that belongs to each."""


@dataclass(frozen=True)
class Generated:
    """Answers of a task whose model writes texts: how likely the right ones are to it, and how right those are that it wrote."""

    losses: Floats
    """(rows,) surprise at the right answer in nats, summed over its tokens."""
    tokens: Ints
    """(rows,) tokens of the right answer."""
    scores: Mapping[str, Floats] = field(default_factory=dict)
    """(generated,) how right each generated text is, by the name of the metric, as `generated.text_scores` has them."""
    rows: Ints | None = None
    """(generated,) the places of the rows that a text was generated for, ascending; None where that is all of them."""


@dataclass(frozen=True)
class Preferred:
    """Answers of a task that is to prefer one of two answers, or good ones to bad ones."""

    margins: Floats
    """(rows,) by how much the reward of the chosen answer is higher than that of the rejected one; of a judged answer its own."""
    good: NDArray[np.bool_] | None = None
    """(rows,) whether a judged answer is good; None where rows are pairs."""


def accuracy(found: Classified | Tagged) -> Measure:
    return PerRow(found.right, share=True, rows=found.rows if isinstance(found, Tagged) else None)


def answered(found: Answered, values: Floats, those: NDArray[np.bool_], share: bool = False) -> Measure:
    """The mean over some of the questions. values: (rows,).  those: (rows,) which."""
    return PerRow(values[those], share=share, rows=np.flatnonzero(those))


def macro_f1(found: Classified) -> Measure:
    if found.many:
        return OfAll(multilabel.resampled_macro_f1(found.targets, found.predicted), found.predicted)
    statistic = classification.resampled_macro_f1(found.targets, found.predicted, found.classes)
    return OfAll(statistic, found.predicted)


def micro_f1(found: Classified) -> Measure:
    return OfAll(multilabel.resampled_micro_f1(found.targets, found.predicted), found.predicted)


def log_loss(found: Classified) -> Measure:
    how = multilabel.log_loss_per_row if found.many else classification.log_loss_per_row
    assert found.probabilities is not None, "a loss is of probabilities"
    return PerRow(how(found.probabilities, found.targets))


def brier(found: Classified) -> Measure:
    how = multilabel.brier_per_row if found.many else classification.brier_per_row
    assert found.probabilities is not None, "a loss is of probabilities"
    return PerRow(how(found.probabilities, found.targets))


def ece(found: Classified) -> Measure:
    how = multilabel.resampled_ece if found.many else classification.resampled_ece
    assert found.probabilities is not None, "a calibration is of probabilities"
    gaps = how(found.probabilities, found.targets)
    return OfAll(gaps.error, found.probabilities, shift=gaps.shift)


def loss(found: Generated) -> Measure:
    return OfAll(generated.resampled_loss(found.losses, found.tokens), found.losses)


def perplexity(found: Generated) -> Measure:
    return OfAll(generated.resampled_perplexity(found.losses, found.tokens), found.losses)


def of_texts(name: str, share: bool = True) -> Callable[[Generated], Measure]:
    """The mean of a score of generated texts. share: whether each is 1 or 0."""

    def measured(found: Generated) -> Measure:
        scores = PerRow(found.scores[name], share=share)
        return scores if found.rows is None else OfSome(scores, found.rows)

    return measured


def reward_accuracy(found: Preferred) -> Measure:
    if found.good is not None:
        return OfAll(generated.resampled_preference(found.margins, found.good), found.margins)
    right = generated.preferred(found.margins)
    return PerRow(right, share=bool(np.isin(right, (0, 1)).all()))


CLASSES = ("text-classification", "pair-classification", "image-classification")
WORDS, NUMBERS, QUESTIONS, VECTORS = (
    "token-classification",
    "regression",
    "question-answering",
    "embedding",
)
CHAT, PREFERENCE, ADAPTATION = "chat", "preference", "adaptation"


def of_classes(how: Callable[[Classified], Measure]) -> Mapping[str, Callable[..., Measure]]:
    return dict.fromkeys(CLASSES, how)


def of_entities(how: Callable[[Ints], Any]) -> Callable[[Tagged], Measure]:
    return lambda found: OfAll(how(found.counts), found.counts)


def of_numbers(how: Callable[[Floats, Floats], Any]) -> Callable[[Estimated], Measure]:
    return lambda found: OfAll(how(found.targets, found.predicted), found.predicted)


SPEARMAN, PEARSON = of_numbers(regression.resampled_spearman), of_numbers(regression.resampled_pearson)

METRICS: dict[str, Metric] = {
    "accuracy": Metric(
        "Accuracy",
        "the share of rows answered right",
        {**of_classes(accuracy), WORDS: accuracy},
        percent=True,
        judges=CLASSES,
    ),
    "macro_f1": Metric(
        "Macro F1",
        "the F1 of each class, averaged; each class counts the same",
        of_classes(macro_f1),
        percent=True,
        inside="macro F1",
        hub="f1",
        hub_arguments={"average": "macro"},
        judges=CLASSES,
    ),
    "micro_f1": Metric(
        "Micro F1",
        "F1 over all labels of all rows together",
        of_classes(micro_f1),
        percent=True,
        inside="micro F1",
        hub="f1",
        hub_arguments={"average": "micro"},
    ),
    "log_loss": Metric(
        "Log loss",
        "the mean surprise at the right answer",
        of_classes(log_loss),
        higher=False,
        unit="nats",
    ),
    "brier": Metric(
        "Brier score",
        "the mean squared error of the probabilities",
        of_classes(brier),
        higher=False,
        inside="Brier score",
        hub="brier_score",
    ),
    "f1": Metric(
        "F1",
        "of what is found, whole and of the right kind: precision and recall in one",
        {WORDS: of_entities(entities.resampled_f1), QUESTIONS: lambda found: PerRow(found.f1)},
        percent=True,
        inside="F1",
        meanings={QUESTIONS: "of the words of the answer: precision and recall in one"},
        judges=(WORDS, QUESTIONS),
    ),
    "exact_match": Metric(
        "Exact match",
        "the share of rows whose whole answer is right",
        {QUESTIONS: lambda found: PerRow(found.exact, share=True), CHAT: of_texts("exact_match")},
        percent=True,
        judges=(QUESTIONS, CHAT),
    ),
    "precision": Metric(
        "Precision",
        "the share of what is found that is right",
        {WORDS: of_entities(entities.resampled_precision)},
        percent=True,
    ),
    "recall": Metric(
        "Recall",
        "the share of what is there that is found",
        {WORDS: of_entities(entities.resampled_recall)},
        percent=True,
    ),
    "spearman": Metric(
        "Spearman correlation",
        "how well the order is met; 1 is perfect, 0 is none",
        {NUMBERS: SPEARMAN, VECTORS: SPEARMAN},
        inside="Spearman correlation",
        judges=(NUMBERS, VECTORS),
    ),
    "pearson": Metric(
        "Pearson correlation",
        "how well a straight line through estimate and truth fits",
        {NUMBERS: PEARSON, VECTORS: PEARSON},
        inside="Pearson correlation",
        judges=(NUMBERS, VECTORS),
    ),
    "r2": Metric(
        "R²",
        "the share of the numbers' variance that is explained",
        {NUMBERS: of_numbers(regression.resampled_r2)},
        inside="R²",
        judges=(NUMBERS,),
    ),
    "mae": Metric(
        "Mean absolute error",
        "how far an estimate is off, on average",
        {NUMBERS: of_numbers(regression.resampled_mae)},
        higher=False,
        unit="the units of the column",
    ),
    "answerable_f1": Metric(
        "F1 of questions with an answer",
        "word by word",
        {QUESTIONS: lambda found: answered(found, found.f1, found.answerable)},
        percent=True,
        inside="F1 of questions with an answer",
    ),
    "unanswerable_accuracy": Metric(
        "Questions without an answer",
        "the share that is left unanswered",
        {QUESTIONS: lambda found: answered(found, found.exact, ~found.answerable, share=True)},
        percent=True,
    ),
    "mrr": Metric(
        "Mean reciprocal rank",
        "one over the place of what belongs to it, among all; 1 is perfect",
        {VECTORS: lambda found: PerRow(retrieval.reciprocal_ranks(found.ranks))},
        judges=(VECTORS,),
    ),
    "recall_at_1": Metric(
        "Recall at 1",
        "the share of which the nearest is one that belongs to it",
        {VECTORS: lambda found: PerRow(retrieval.hits_at(found.ranks, 1), share=True)},
        percent=True,
    ),
    "recall_at_10": Metric(
        "Recall at 10",
        "the share with one that belongs to it among the ten nearest",
        {VECTORS: lambda found: PerRow(retrieval.hits_at(found.ranks, 10), share=True)},
        percent=True,
        judges=(VECTORS,),
    ),
    "contains": Metric(
        "Right answer contained",
        "the share of generated texts that the right answer stands in, to the letter",
        {CHAT: of_texts("contains")},
        judges=(CHAT,),
        percent=True,
    ),
    "regex_match": Metric(
        "Pattern found",
        "the share of generated texts that the regular expression is found in",
        {CHAT: of_texts("regex_match")},
        judges=(CHAT,),
        percent=True,
    ),
    "number_match": Metric(
        "Number match",
        "the share of generated texts whose last number has the right value",
        {CHAT: of_texts("number_match")},
        judges=(CHAT,),
        percent=True,
    ),
    "json_match": Metric(
        "JSON match",
        "the share of generated texts whose JSON means the same as the right one",
        {CHAT: of_texts("json_match")},
        judges=(CHAT,),
        percent=True,
        inside="JSON match",
    ),
    "rouge_l": Metric(
        "ROUGE-L",
        "how much of the words a generated text and the right one have in common, in their order; 1 is perfect",
        {CHAT: of_texts("rouge_l", share=False)},
        judges=(CHAT,),
        inside="ROUGE-L",
        hub="rouge",
    ),
    "chrf": Metric(
        "Character F-score",
        "how many runs of characters a generated text and the right one have in common, averaged over rows; 1 is perfect",
        {CHAT: of_texts("chrf", share=False)},
        judges=(CHAT,),
        inside="chrF",
    ),
    "loss": Metric(
        "Loss",
        "the mean surprise at a token of the right answer",
        {CHAT: loss, ADAPTATION: loss},
        judges=(CHAT, ADAPTATION),
        higher=False,
        unit="nats",
        meanings={ADAPTATION: "the mean surprise at a token of the text"},
    ),
    "perplexity": Metric(
        "Perplexity",
        "among how many equally likely tokens the model wavers at each token of the right answer; 1 is certainty",
        {CHAT: perplexity, ADAPTATION: perplexity},
        judges=(CHAT, ADAPTATION),
        higher=False,
        meanings={
            ADAPTATION: "among how many equally likely tokens the model wavers at each token; 1 is certainty"
        },
    ),
    "reward_accuracy": Metric(
        "Reward accuracy",
        "the share of pairs whose chosen answer has the higher reward, of judged answers of all pairs of a good and a bad one; "
        "ties count half",
        {PREFERENCE: reward_accuracy},
        judges=(PREFERENCE,),
        percent=True,
    ),
    "ece": Metric(
        "Calibration error",
        "the mean gap between confidence and accuracy",
        of_classes(ece),
        higher=False,
    ),
}
"""The metrics, by their name in the scorecard and on the command line."""


def judging(task: str) -> tuple[str, ...]:
    """The metrics that a task may be judged by, its own first.

    >>> judging("regression"), judging("token-classification")
    (('spearman', 'pearson', 'r2'), ('f1',))
    """
    return tuple(name for name, metric in METRICS.items() if task in metric.judges)


def metric_named(name: str) -> Metric:
    """A known metric, or one called after its key: a record may name one that a newer version has."""
    return METRICS.get(name) or Metric(name.replace("_", " ").capitalize(), "", {})
