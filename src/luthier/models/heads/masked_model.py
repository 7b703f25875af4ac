"""Texts with hidden words to the words."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor, nn

from luthier.batches.examples import Batch
from luthier.errors import ModelError
from luthier.models.headed import HeadedModel, at_least_fp32, mean_of_parts
from luthier.models.heads.classifier import pool
from luthier.models.heads.head import Head, Saved, Wanted
from luthier.models.hub.inspect import Folder
from luthier.models.hub.pretrained import folder_config, pretrained, refuse_encoder_decoder
from luthier.models.readers.images import Preparation
from luthier.models.readers.texts import Texts
from luthier.models.readers.write_tokenizer import write_tokenizer

CLASS = "AutoModelForMaskedLM"


class MaskedModel(HeadedModel):
    """The architecture's own class that finds hidden words, whole; there is no head beside it."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__(body, nn.Sequential())
        self.knows = True

    @property
    def width(self) -> int:
        """Numbers in a token's state."""
        return self.state_width

    @property
    def outputs(self) -> int:
        return 1

    def features(self, batch: Batch) -> Tensor:
        """(rows, width): the mean over a row's tokens."""
        self.tell(batch)
        body: Any = self.body
        states = at_least_fp32(body.base_model(**batch.inputs).last_hidden_state)
        return mean_of_parts(pool(states, batch.inputs["attention_mask"], "mean"), batch)

    def forward(self, batch: Batch) -> Tensor:
        """(asked for,) in fp32 or finer: the log-probability in nats of each token that is hidden, part after part."""
        self.tell(batch)
        assert batch.marks is not None, "words are hidden"
        wanted = batch.marks >= 0
        out: Any = self.body(**batch.inputs)
        logits = at_least_fp32(out.logits[wanted])
        found: Tensor = logits.log_softmax(1).gather(1, batch.marks[wanted].unsqueeze(1))
        return found.squeeze(1)


@dataclass(frozen=True)
class MaskedHead(Head[MaskedModel, Texts]):
    """The hidden words of a text: saved as the architecture's own class, with its own output layer."""

    new: ClassVar[bool] = False

    def build(self, folder: Folder, wanted: Wanted, preparation: Preparation | None) -> MaskedModel:
        return masked_model(folder, wanted.body_dropout)

    def reopen(self, folder: Folder, saved: Saved, preparation: Preparation | None) -> MaskedModel:
        return masked_model(folder)

    def save(
        self, folder: Path, model: MaskedModel, head: nn.Sequential, reader: Texts, settings: dict[str, Any]
    ) -> None:
        body: Any = model.body
        body.save_pretrained(folder)
        write_tokenizer(folder, reader, reader.limit, lower_case=True)

    def saved_weights(self, model: MaskedModel, head: nn.Sequential) -> nn.Module:
        return model.body


def masked_model(folder: Folder, body_dropout: float | None = None) -> MaskedModel:
    """The model of a folder that finds hidden words. Raises ModelError where the folder lacks the layers that do."""
    refuse_encoder_decoder(folder)
    body = pretrained(folder, CLASS, folder_config(folder, None, body_dropout))
    prefix = f"{body.base_model_prefix}."
    # Vectors have had other names (gamma, beta), and those of an output layer may be tied: the tables tell.
    above = [
        name for name, weight in body.named_parameters() if not name.startswith(prefix) and weight.ndim > 1
    ]
    missing = [name for name in above if name not in folder.tensors]
    if missing:
        raise ModelError(
            f"{folder.place}: its weights have no {missing[0]}, which finds hidden words: it was tuned for something else since "
            "it was pre-trained. Name the model that it was made of, or one that declares its pooling, with --model."
        )
    return MaskedModel(body)
