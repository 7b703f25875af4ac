"""Learning rate, batch, epochs for a family of models: read from recipes.toml, a table anyone can correct."""

import math
import tomllib
from dataclasses import dataclass
from importlib import resources

from luthier.batches.order import steps_per_epoch


@dataclass(frozen=True)
class Recipe:
    """One row of recipes.toml: the settings for a family of models."""

    name: str
    families: tuple[str, ...]
    parameters_below: float
    """The row is for models with fewer parameters than this, in millions."""
    lr: float
    batch_rows: int
    epochs: int
    steps: int
    epochs_at_most: int
    batch_rows_at_least: int
    weight_decay: float
    warmup: float
    layer_decay: float
    source: str

    @property
    def rows_of_floor(self) -> int:
        """Rows that the floor of steps reads."""
        return self.steps * self.batch_rows

    def has_few(self, rows: int) -> bool:
        """Whether the usual epochs read fewer rows than the floor of steps does."""
        return rows * self.epochs < self.rows_of_floor

    def rows_per_step(self, rows: int) -> int:
        """Rows per step, halved as often as is needed while even the most epochs would make fewer steps than the floor."""
        batch_rows = self.batch_rows
        while (
            self.epochs_at_most * steps_per_epoch(rows, batch_rows) < self.steps
            and batch_rows > self.batch_rows_at_least
        ):
            batch_rows = max(batch_rows // 2, self.batch_rows_at_least)
        return batch_rows

    def epochs_for(self, rows: int, batch_rows: int, times: float = 1.0) -> int:
        """Number of epochs. Few rows get more: they need a floor of steps (Mosbach et al. 2021, arXiv:2006.04884).

        times: of that floor, where there is more to learn than usual.
        """
        enough = math.ceil(times * self.steps / steps_per_epoch(rows, batch_rows))
        return min(max(self.epochs, enough), round(times * self.epochs_at_most))


def recipes() -> list[Recipe]:
    """The rows of recipes.toml, in order."""
    text = resources.files("luthier.train").joinpath("recipes.toml").read_text(encoding="utf-8")
    return [Recipe(**(row | {"families": tuple(row["families"])})) for row in tomllib.loads(text)["recipe"]]


def recipe_for(family: str, parameters: int) -> Recipe:
    """The first recipe that fits a model_type and a number of parameters."""
    fitting = [
        recipe
        for recipe in recipes()
        if (not recipe.families or family in recipe.families) and parameters < recipe.parameters_below * 1e6
    ]
    return fitting[0] if fitting else recipes()[-1]
