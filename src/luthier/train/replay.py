"""Replay: general rows in each step beside the task's own, so that what they teach is not forgotten meanwhile."""

from dataclasses import dataclass

from luthier import seeds
from luthier.arrays import Ints
from luthier.batches.examples import Examples


@dataclass(frozen=True)
class Replay:
    """General rows of which each step takes a few, as a function of its number."""

    examples: Examples
    rows: int
    """Rows in each step."""
    seed: int

    def of_step(self, step: int, micro_tokens: int) -> list[Ints]:
        """The rows of a step, in micro-batches; drawn with replacement over steps, and without within one."""
        count = min(self.rows, len(self.examples))
        drawn = seeds.generator(self.seed, "replay", step).choice(len(self.examples), count, replace=False)
        return self.examples.cut(drawn, self.examples.lengths, micro_tokens)
