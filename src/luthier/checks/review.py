"""The file in which a person decides about rows whose label looks wrong."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from luthier.arrays import Ints
from luthier.checks.finding import Evidence
from luthier.data.formats.sheets import read_sheet, sheet
from luthier.data.split import key_of
from luthier.errors import DataError, did_you_mean, listing
from luthier.files import write_text

COLUMNS = ("file", "row", "text", "label", "suggested", "probability", "decision")
KEEP, DROP = "keep", "delete"


def review_path(data: str, folder: str | None = None) -> Path:
    """Where a person decides about labels: beside the data, or in a folder; a corrected copy shares it with its original.

    >>> str(review_path("a/reviews.fixed.csv"))
    'a/reviews.review.csv'
    """
    name = Path(data).name.split(".")[0]
    return (Path(folder) if folder else Path(data).parent) / f"{name}.review.csv"


@dataclass(frozen=True)
class Suspect:
    """A row whose label the other rows speak against."""

    row: int
    """The row's number in the table."""
    suggested: str
    probability: float
    """The probability of the label as it is, by a probe that did not see the row."""


@dataclass(frozen=True)
class Review:
    """A person's decisions on doubted labels, by text and label."""

    path: Path
    decisions: dict[tuple[int, str], str]
    """From the key of the text, and the label as it was, to `keep`, `delete` or the right label; "" where nothing was decided."""

    @staticmethod
    def read(path: Path, labels: Sequence[str]) -> "Review":
        """The decisions so far; none where there is no file. Raises DataError for a decision that means nothing."""
        if not path.exists():
            return Review(path, {})
        decisions = {}
        known = {KEEP, DROP, *labels}
        for number, row in enumerate(read_sheet(path, COLUMNS), start=1):
            decision = row["decision"].strip()
            if decision and decision not in known and not known.issuperset(decision.split("|")):
                raise DataError(
                    f"{path}, row {number}: decision {decision!r} is not a label.{did_you_mean(decision, known)} "
                    f"Expected {KEEP}, {DROP}, nothing, or one of {listing(labels)}."
                )
            decisions[key_of(row["text"]), row["label"]] = decision
        return Review(path, decisions)

    @property
    def complete(self) -> bool:
        """Whether every row of the review has a decision."""
        return bool(self.decisions) and all(self.decisions.values())

    def settled(self, evidence: Evidence) -> Ints:
        """Rows whose label a person has decided to keep, or has put right since."""
        kept = {(key, label) for (key, label), decision in self.decisions.items() if decision == KEEP}
        kept |= {
            (key, decision)
            for (key, _), decision in self.decisions.items()
            if decision not in ("", KEEP, DROP)
        }
        rows = np.flatnonzero(np.isin(evidence.keys, [key for key, _ in kept]))
        names = ["|".join(evidence.answers.labels_of(row)) for row in rows.tolist()]
        of = zip(evidence.keys[rows].tolist(), names, strict=True)
        found: Ints = rows[np.array([pair in kept for pair in of], bool)]
        return found

    def decided(self, evidence: Evidence) -> tuple[dict[int, str], Ints]:
        """The new labels, by row, and the rows to delete."""
        asked = {pair: word for pair, word in self.decisions.items() if word not in ("", KEEP)}
        rows = np.flatnonzero(np.isin(evidence.keys, [key for key, _ in asked]))
        labels: dict[int, str] = {}
        dropped = []
        for row in rows.tolist():
            word = asked.get((int(evidence.keys[row]), "|".join(evidence.answers.labels_of(row))))
            if word == DROP:
                dropped.append(row)
            elif word:
                labels[row] = word
        return labels, np.array(dropped, np.int64)

    def write(self, evidence: Evidence, suspects: Sequence[Suspect]) -> int:
        """Write the suspects with the decisions on them, and return how many wait for one. Decisions on other rows stay."""
        table = evidence.table
        texts = table.texts(evidence.columns.text, [one.row for one in suspects])
        lines: list[list[object]] = []
        met = set()
        open_ones = 0
        for one, text in zip(suspects, texts, strict=True):
            label = "|".join(evidence.answers.labels_of(one.row))
            place, key = table.place(one.row), (int(evidence.keys[one.row]), label)
            decision = self.decisions.get(key, "")
            open_ones += not decision
            met.add(key)
            lines.append(
                [place.file, place.line, text, label, one.suggested, f"{one.probability:.3f}", decision]
            )
        kept = self.others(met)
        write_text(self.path, sheet([COLUMNS, *lines, *kept]))
        return open_ones

    def others(self, met: set[tuple[int, str]]) -> list[list[str]]:
        """Lines of the file with decisions on rows that are no longer suspects."""
        if not self.path.exists():
            return []
        return [
            [row[name] for name in COLUMNS]
            for row in read_sheet(self.path, COLUMNS)
            if row["decision"].strip() and (key_of(row["text"]), row["label"]) not in met
        ]
