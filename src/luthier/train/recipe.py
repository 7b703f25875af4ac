"""Learning rate, batch, epochs for a family of models: read from recipes.toml, a table anyone can correct."""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from luthier.batches.order import steps_per_epoch


@dataclass(frozen=True)
class Models:
    """The models that a recipe is for."""

    families: tuple[str, ...]
    """Their `model_type`; none: all."""
    parameters_below: float
    """Millions of parameters, of the whole model."""
    write: bool = False
    """Whether they write texts, or learn to prefer some: whatever their family."""

    def hold(self, family: str, parameters: int, writes: bool) -> bool:
        """Whether a model is one of them."""
        known = not self.families or family in self.families
        return known and writes == self.write and parameters < self.parameters_below * 1e6


@dataclass(frozen=True)
class LayerRates:
    """How the learning rate differs from layer to layer."""

    decay: float
    """The rate of each block is this times that of the block above it."""
    top: float
    """The rate of the last blocks tuned alone (`--method top:K`), as a multiple of that of full tuning."""


@dataclass(frozen=True)
class Recipe:
    """One row of recipes.toml: the settings for a family of models."""

    name: str
    models: Models
    lr: float
    batch_rows: int
    epochs: int
    steps: int
    epochs_at_most: int
    batch_rows_at_least: int
    weight_decay: float
    warmup: float
    layers: LayerRates
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
    return [recipe_of(row) for row in tomllib.loads(text)["recipe"]]


def recipe_of(row: Mapping[str, Any]) -> Recipe:
    """A row of the table, as TOML has it."""
    grouped = ("families", "parameters_below", "write", "layer_decay", "top_rate")
    models = Models(tuple(row["families"]), row["parameters_below"], row.get("write", False))
    layers = LayerRates(row["layer_decay"], row.get("top_rate", 1.0))
    rest = {key: value for key, value in row.items() if key not in grouped}
    return Recipe(models=models, layers=layers, **rest)


def recipe_for(family: str, parameters: int, writes: bool = False) -> Recipe:
    """The first row that fits a model_type and a number of parameters. writes: whether a language model is tuned as such."""
    table = recipes()
    return next((recipe for recipe in table if recipe.models.hold(family, parameters, writes)), table[-1])
