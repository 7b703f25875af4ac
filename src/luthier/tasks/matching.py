"""Labels of rows matched with those that a finished model gives, where the two are written otherwise."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from luthier.errors import DataError, did_you_mean, listing
from luthier.tasks.baselines import readable

SHOWN = 6
"""Labels that are told with what they were taken for, at the most."""


@dataclass(frozen=True)
class Matched:
    """For each label of the rows, the model's."""

    to_model: Mapping[str, str]
    how: str | None = None
    """What they were matched by, in words that follow "matched by"; None where they are the same."""

    def told(self) -> tuple[str, ...]:
        """A sentence on what was taken for what; none where labels are written as the model's."""
        if self.how is None:
            return ()
        pairs = [f"{own!r} is {theirs!r}" for own, theirs in self.to_model.items() if own != theirs]
        more = f" and {len(pairs) - SHOWN:,} more" if len(pairs) > SHOWN else ""
        return (
            f"Labels are matched with the model's by {self.how}: {', '.join(pairs[:SHOWN])}{more}; --label-names corrects it.",
        )


def match_labels(labels: Collection[str], model: Sequence[str], place: str) -> Matched:
    """The model's label of each of the rows' labels: by name, then without case and separators, then by number.

    place: where the rows stand, for the message.  Raises DataError for a label that the model does not have.

    >>> dict(match_labels({"Card Arrival"}, ["card_arrival", "refund"], "rows.csv").to_model)
    {'Card Arrival': 'card_arrival'}
    >>> dict(match_labels({"0", "1"}, ["LABEL_0", "LABEL_1"], "rows.csv").to_model)
    {'0': 'LABEL_0', '1': 'LABEL_1'}
    """
    names = sorted(labels)
    if set(names) <= set(model):
        return Matched({name: name for name in names})
    by_words: dict[str, list[str]] = {}
    for own in model:
        by_words.setdefault(readable(own), []).append(own)
    alike = {name: by_words.get(readable(name), []) for name in names}
    if all(name in model or len(alike[name]) == 1 for name in names):
        found = {name: name if name in model else alike[name][0] for name in names}
        return Matched(found, "name, but for case and separators")
    if all(name.isdecimal() and int(name) < len(model) for name in names):
        return Matched({name: model[int(name)] for name in names}, "number, in the model's order")
    raise UnknownLabels([name for name in names if name not in model and not alike[name]], model, place)


class UnknownLabels(DataError):
    """Rows have labels that a finished model never gives; which, and those that it gives."""

    def __init__(self, strange: Sequence[str], model: Sequence[str], place: str) -> None:
        self.strange, self.model, self.place = strange, model, place
        super().__init__(
            f"{place}: {self.of_rows} none that the model gives; it gives {listing(model)}.{self.hint} Name the model's labels "
            "as the rows have them, in the model's order, with --label-names a,b,c; or leave these rows out."
        )

    @property
    def of_rows(self) -> str:
        """The labels of the rows, as the beginning of a sentence."""
        label, are = ("label", "is") if len(self.strange) == 1 else ("labels", "are")
        return f"the {label} {listing(self.strange)} of the rows {are}"

    @property
    def hint(self) -> str:
        """A question that names what is meant, where that looks much like it."""
        return did_you_mean(self.strange[0] if self.strange else "", self.model)
