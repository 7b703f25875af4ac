"""A frozen model that reads texts, for commands that train no layer."""

from collections.abc import Callable, Generator
from dataclasses import dataclass

import numpy as np

from luthier import devices
from luthier.arrays import Array
from luthier.batches.examples import Examples
from luthier.devices import Device
from luthier.errors import Interrupted
from luthier.events import Advanced, Event, Started
from luthier.forms import FORMS
from luthier.forms.form import Form
from luthier.models.headed import HeadedModel
from luthier.models.heads import HEADS
from luthier.models.heads.head import Wanted
from luthier.models.hub.inspect import inspect_folder
from luthier.models.load import load_model
from luthier.models.master_weights import MasterWeights
from luthier.models.readers.reading import Reader as Tokenizer
from luthier.models.readers.reading import preparation_of
from luthier.models.static.making import model_path
from luthier.plan.plan import Plan
from luthier.predict import features_of
from luthier.prepare.base import Base
from luthier.prepare.pairs import how_pairs_are_read
from luthier.prepare.rows import Rows
from luthier.prepare.suited import suited

SMALL = 23e6
"""Weights of a small encoder."""


@dataclass(frozen=True)
class Reader:
    """Tokenizer or image processor, and frozen body, on the device that the plan asks for."""

    reader: Tokenizer
    model: HeadedModel
    device: Device
    form: Form
    """What rows are made of."""

    @staticmethod
    def of(plan: Plan, rows: Rows | None = None) -> "Reader":
        """A model that gives the features of some rows, or of texts. Raises ModelError for a folder that cannot."""
        if rows is None:
            return Reader.of_form(plan, FORMS["text"], "row")
        rows = suited(rows, plan.model.name, plan.model.base)
        device, base = device_and_base(plan, rows.form)
        rows = how_pairs_are_read(plan.model, rows, base, device)
        return opened(plan, rows.form, HEADS[rows.task.head].untrained, device, base)

    @staticmethod
    def of_form(plan: Plan, form: Form, head: str) -> "Reader":
        """A model that gives the features of rows of a form, or of their words. head: a key of HEADS. Raises ModelError."""
        return opened(plan, form, head, *device_and_base(plan, form))

    def most_tokens(self, most: int) -> int:
        """The tokens that it may read of `most`: a language model so many as take the time of a small encoder."""
        if not self.model.writes:
            return most
        weights = sum(weight.numel() for weight in self.model.parameters())
        return round(most * min(1.0, SMALL / weights))

    def features(
        self, examples: Examples, clock: Callable[[], float], stop: Callable[[], bool]
    ) -> Generator[Event, None, Array]:
        """The features of some rows, (rows, width), computed in the fast precision."""
        yield Started("features", clock(), len(examples))
        found = np.zeros((len(examples), self.model.width), np.float32)
        done = 0
        with MasterWeights(self.model.body, self.device.dtype).training():
            for batch, where, made in features_of(self.model, examples, self.device):
                found[where] = made
                done += len(batch.rows)
                yield Advanced(done, clock())
                if stop():
                    raise Interrupted("Interrupted. Nothing was written.")
        return found

    def by_words(
        self,
        examples: Examples,
        see: Callable[[int, Array], None],
        clock: Callable[[], float],
        stop: Callable[[], bool],
    ) -> Generator[Event, None, Array]:
        """The mean of the features of each row's words, (rows, width), in the fast precision.

        see: is handed each row's number and the features of its words, (words, width), as they come: those of many rows together
        would not fit into memory.
        """
        yield Started("features", clock(), len(examples))
        means = np.zeros((len(examples), self.model.width), np.float32)
        done, ends = 0, examples.unit_ends
        assert ends is not None, "words have answers"
        with MasterWeights(self.model.body, self.device.dtype).training():
            for batch, _, made in features_of(self.model, examples, self.device, by_unit=True):
                begin = 0
                for row in batch.rows.tolist():
                    own = made[begin : begin + int(ends[row + 1] - ends[row])]
                    begin += len(own)
                    if len(own):
                        means[row] = own.mean(0)
                    see(row, own)
                done += len(batch.rows)
                yield Advanced(done, clock())
                if stop():
                    raise Interrupted("Interrupted. Nothing was written.")
        return means


def device_and_base(plan: Plan, form: Form) -> tuple[Device, Base]:
    """The device, and the folder of the model, for rows of a form."""
    device = devices.choose(plan.run.device, plan.run.precision, plan.run.threads)
    folder = inspect_folder(plan.model.name, model_path(plan.model.name), form.files, plan.model.base)
    return device, Base(folder, form.open(folder))


def opened(plan: Plan, form: Form, head: str, device: Device, base: Base) -> Reader:
    """The model of a folder under a head that nobody has trained."""
    asked = Wanted(
        outputs=2, head=head, own_pooling=form.own_pooling, pooling=plan.model.pooling, seed=plan.run.seed
    )
    model = load_model(base.folder, asked, preparation_of(base.reader)).to(device.torch)
    return Reader(base.reader, model, device, form)
