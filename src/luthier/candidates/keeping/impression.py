"""What a model makes of a panel's rows: what it says of them, its states rung by rung, and what it reads in general texts."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from luthier.arrays import Array, Ints
from luthier.batches.examples import Examples
from luthier.candidates.keeping.panel import Panel, knowledge_of, panel_of
from luthier.candidates.records import ImpressionRecord
from luthier.candidates.run import Run
from luthier.devices import Device, with_threads
from luthier.models.headed import HeadedModel
from luthier.models.knowledge import Knowledge
from luthier.models.ladder.ladder import Ladder
from luthier.models.ladder.rung_states import RungStates
from luthier.predict import over_rows

NAME = "base"
"""The artefact of what the base made of the panel."""
SAID, RUNG, GENERAL, UNITS = "said ", "rung ", "general", "units"


@dataclass(frozen=True)
class Impression:
    """What a model made of a panel, its rows in the order of the batches, which is the same for all models."""

    said: dict[str, Array]
    """What `Knowledge.of_base` keeps, unit after unit; of another body under `other` what `of_other` gives."""
    units: Ints
    """(batches,) number of units in each batch."""
    rungs: dict[str, Array]
    """By rung, (rows, width) the mean state of each row."""
    general: Array | None
    """(rows, n) what `Knowledge.general` keeps of the general texts, in their order; None where there are none."""

    def arrays(self) -> dict[str, Array]:
        found = {f"{SAID}{name}": values for name, values in self.said.items()}
        found |= {f"{RUNG}{name}": values for name, values in self.rungs.items()}
        found |= {} if self.general is None else {GENERAL: self.general}
        return found | {UNITS: self.units}

    @staticmethod
    def of(arrays: Mapping[str, Array]) -> "Impression":
        """What `arrays` were of."""
        said, rungs = (
            {name.removeprefix(kind): values for name, values in arrays.items() if name.startswith(kind)}
            for kind in (SAID, RUNG)
        )
        return Impression(said, arrays[UNITS], rungs, arrays.get(GENERAL))


class BesideBase:
    """A run's panel with what its base made of it, beside which other bodies are looked at."""

    def __init__(self, run: Run) -> None:
        """Opens the base once more where its weights are in no model here, and its impression in no file."""
        ready = run.ready
        self.run, self.knowledge = run, knowledge_of(ready)
        self.panel = panel_of(ready, self.knowledge)
        self.base, self.seconds = found_again(run, self.panel) or self.of_base()
        """What the base made of the panel, and the seconds that this took."""

    def of_base(self) -> tuple[Impression, float]:
        run = self.run
        begin, model = run.clock(), run.pretrained()
        with with_threads(run.mode.wide):
            found = impression_of(model, self.panel, self.knowledge, run.ready.ladder, run.ready.device)
        seconds = run.clock() - begin
        run.folder.save(NAME, found.arrays(), ImpressionRecord(seconds=seconds))
        return found, seconds

    def of(self, model: HeadedModel) -> Impression:
        """What another body makes of the panel."""
        device = self.run.ready.device
        with with_threads(self.run.mode.wide):
            return impression_of(model, self.panel, self.knowledge, self.run.ready.ladder, device, self.base)

    def divergence(self, model: HeadedModel) -> float:
        """KL(base || model) in nats, the mean over units."""
        with with_threads(self.run.mode.wide):
            said = other_of(model, self.panel.valid, self.knowledge, self.run.ready.device, self.base)
        return self.mean_of(said)

    def mean_of(self, said: Array) -> float:
        """The mean over units of KL(base || what another body said)."""
        found = self.knowledge.divergences(self.base.said, said)
        return float(found.mean()) if len(found) else 0.0


def found_again(run: Run, panel: Panel) -> tuple[Impression, float] | None:
    """What an earlier command kept of the base, and what that took; None where there is nothing, or it is of other rows."""
    saved = run.folder.saved(NAME, ImpressionRecord)
    if saved is None:
        return None
    found = Impression.of(saved[0])
    texts = 0 if found.general is None else len(found.general)
    rows = {len(values) for values in found.rungs.values()}
    same = rows <= {len(panel.rows)} and texts == len(panel.chosen)
    return (found, saved[1].seconds) if same else None


@torch.inference_mode()
def impression_of(
    model: HeadedModel,
    panel: Panel,
    knowledge: Knowledge,
    ladder: Ladder,
    device: Device,
    base: Impression | None = None,
) -> Impression:
    """What a model makes of a panel. base: what the base made of it, where the model is another body."""
    said: dict[str, list[Array]] = {}
    rungs: dict[str, list[Array]] = {}
    units: list[int] = []
    listening, at = RungStates(ladder), 0
    model.eval()
    with listening.listening(model):
        for number, batch in enumerate(over_rows(panel.valid, device)):
            if base is None:
                found = knowledge.of_base(model, batch)
            else:
                own = slice(at, at + int(base.units[number]))
                found = {"other": knowledge.of_other(model, batch, cut(base.said, own))}
            length = len(next(iter(found.values())))
            units, at = [*units, length], at + length
            for name, values in found.items():
                said.setdefault(name, []).append(values.cpu().numpy())
            for name, values in listening.taken(batch).items():
                rungs.setdefault(name, []).append(values.cpu().numpy())
    return Impression(
        {name: np.concatenate(values) for name, values in said.items()},
        np.array(units, np.int64),
        {name: np.concatenate(values) for name, values in rungs.items()},
        None if panel.texts is None else general_of(model, panel.texts, knowledge, device),
    )


@torch.inference_mode()
def other_of(
    model: HeadedModel, valid: Examples, knowledge: Knowledge, device: Device, base: Impression
) -> Array:
    """What another body says of the validation rows of a panel, unit after unit."""
    found, at = [], 0
    model.eval()
    for batch, length in zip(over_rows(valid, device), base.units.tolist(), strict=True):
        told = cut(base.said, slice(at, at + length))
        found.append(knowledge.of_other(model, batch, told).cpu().numpy())
        at += length
    return np.concatenate(found)


def general_of(model: HeadedModel, texts: Examples, knowledge: Knowledge, device: Device) -> Array:
    """(rows, n) what is kept of general texts, in their order."""
    found: Array | None = None
    for batch in over_rows(texts, device):
        values = knowledge.general(model, batch).cpu().numpy()
        found = np.zeros((len(texts), values.shape[1]), values.dtype) if found is None else found
        found[batch.rows] = values
    assert found is not None, "there are texts"
    return found


def cut(said: Mapping[str, Array], units: slice) -> dict[str, torch.Tensor]:
    """Some units of what the base said."""
    return {name: torch.from_numpy(values[units]) for name, values in said.items()}
