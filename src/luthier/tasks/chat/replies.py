"""What a language model gives for conversations, and what it answers to them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from luthier.arrays import Array, Floats, Ints
from luthier.tasks.answers import Answers
from luthier.tasks.outputs import Outputs


@dataclass(frozen=True)
class Written:
    """The texts that were written to some rows."""

    rows: Ints
    """(written,) which rows, ascending."""
    texts: tuple[str, ...]
    stopped: Ints
    """(written,) 1 where the model ended the text, 0 where its length did."""

    def select(self, rows: Ints) -> "Written":
        """Those of some rows, which are counted anew."""
        place = {row: at for at, row in enumerate(self.rows.tolist())}
        found = [(at, place[row]) for at, row in enumerate(rows.tolist()) if row in place]
        own = [at for _, at in found]
        return Written(
            np.array([at for at, _ in found], np.int64),
            tuple(self.texts[at] for at in own),
            self.stopped[own],
        )


@dataclass(frozen=True)
class Spoken(Outputs):
    """How likely a model finds the right answers, and what it writes itself."""

    losses: Floats
    """(rows,) surprise at the right answer in nats, summed over its tokens."""
    counts: Ints
    """(rows,) tokens of the right answer."""
    written: Written

    def __len__(self) -> int:
        return len(self.losses)

    def select(self, rows: Ints) -> "Spoken":
        return Spoken(self.losses[rows], self.counts[rows], self.written.select(rows))

    def arrays(self) -> dict[str, Array]:
        return {
            "losses": self.losses,
            "counts": self.counts,
            "rows": self.written.rows,
            "stopped": self.written.stopped,
        }

    def record(self) -> dict[str, Any]:
        return {"texts": list(self.written.texts)}

    @staticmethod
    def read(arrays: Mapping[str, Array], record: Mapping[str, Any]) -> "Spoken":
        """What `arrays` and `record` were of. Raises KeyError where they were of something else."""
        texts = Written(arrays["rows"], tuple(record["texts"]), arrays["stopped"])
        return Spoken(arrays["losses"], arrays["counts"], texts)


@dataclass(frozen=True)
class Replies(Answers):
    """The answers to some rows."""

    spoken: Spoken

    def __len__(self) -> int:
        return len(self.spoken)

    def select(self, rows: Ints) -> "Replies":
        return Replies(self.spoken.select(rows))


def written_by_row(written: Written) -> dict[int, dict[str, Any]]:
    """What was written, by the number of its row, as `predict` gives it."""
    return {
        row: {"text": text, "finish": "stop" if stopped else "length"}
        for row, text, stopped in zip(
            written.rows.tolist(), written.texts, written.stopped.tolist(), strict=True
        )
    }


def written_lines(written: Written, rows: int) -> list[dict[str, Any]]:
    """What was written to each row, as `predict` gives it; null where nothing was asked for."""
    found = written_by_row(written)
    return [found.get(row, {"text": None, "finish": None}) for row in range(rows)]
