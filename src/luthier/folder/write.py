"""The tuned model in the format of the library its weights came from, so that it loads there without luthier."""

import copy
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from luthier.files import whole_folder
from luthier.models.classifier import Classifier
from luthier.models.quiet import quiet
from luthier.models.texts import Texts
from luthier.tasks.task import Calibration


@dataclass(frozen=True)
class Beside:
    """What luthier adds to a model, in `luthier.json` beside the weights."""

    task: dict[str, Any]
    calibration: Calibration
    pooling: str | None
    """None: the architecture's own class does it."""
    hidden: tuple[int, ...]
    long: str
    """`cut` or `windows`: how texts beyond the limit are read."""
    text: str
    """Name of the text column."""
    base: str
    """The pre-trained model, as it was named."""
    base_fingerprint: str
    method: str
    """The candidate: `probe` or `tuned`."""
    version: str
    """luthier's."""

    @property
    def form(self) -> str:
        """The library that loads the folder."""
        return "transformers" if self.pooling is None else "sentence-transformers"

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "form": self.form}

    @staticmethod
    def from_json(record: dict[str, Any]) -> "Beside":
        fields: dict[str, Any] = {name: value for name, value in record.items() if name != "form"}
        numbers: dict[str, Any] = record["calibration"]
        lists = {name: tuple(numbers[name]) for name in ("scale", "bias", "thresholds")}
        fields["calibration"] = Calibration(temperature=numbers["temperature"], **lists)
        fields["hidden"] = tuple(record["hidden"])
        return Beside(**fields)


def write_model(
    path: Path, model: Classifier, head: nn.Sequential, texts: Texts, beside: Beside, card: str
) -> None:
    """Write a model folder, whole or not at all.

    head: dropout and linear layers, `model.head` or the probe's.  card: README.md.
    """
    labels = list(beside.task["labels"])
    with whole_folder(path) as folder, quiet():
        body: Any = model.body
        if model.last_name is not None:
            write_transformers(folder, body, model.last_name, head, labels, many=bool(beside.task["many"]))
        else:
            body.save_pretrained(folder)
            write_sentence_modules(folder, model, head, texts)
        write_tokenizer(folder, texts)
        (folder / "luthier.json").write_text(
            json.dumps(beside.to_json(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        (folder / "README.md").write_text(card, encoding="utf-8")


def write_transformers(
    folder: Path, body: Any, last_name: str, head: nn.Sequential, labels: list[str], many: bool
) -> None:
    """The architecture's own classification class, its last layer put back."""
    before = {name: getattr(body.config, name) for name in ("id2label", "label2id", "problem_type")}
    hole = body.get_submodule(last_name)
    body.set_submodule(last_name, head[-1])
    body.config.id2label = dict(enumerate(labels))
    body.config.label2id = {label: at for at, label in enumerate(labels)}
    body.config.problem_type = "multi_label_classification" if many else "single_label_classification"
    try:
        body.save_pretrained(folder)
    finally:
        body.set_submodule(last_name, hole)
        for name, value in before.items():
            setattr(body.config, name, value)


def write_tokenizer(folder: Path, texts: Texts) -> None:
    """The tokenizer with luthier's own limit, and without the truncation that its last call left in it."""
    tokenizer = copy.deepcopy(texts.tokenizer)
    tokenizer.model_max_length = texts.limit
    if tokenizer.is_fast:
        tokenizer.backend_tokenizer.no_truncation()
        tokenizer.backend_tokenizer.no_padding()
    tokenizer.save_pretrained(folder)


def write_sentence_modules(folder: Path, model: Classifier, head: nn.Sequential, texts: Texts) -> None:
    """A sentence-transformers folder: transformer, pooling, and one dense module per layer; `encode` gives the logits.

    In the spelling that every version since 2.0 reads.
    """
    linears = [layer for layer in head if isinstance(layer, nn.Linear)]
    kinds = ["Transformer", "Pooling", *["Dense"] * len(linears)]
    paths = ["", *(f"{at}_{kind}" for at, kind in enumerate(kinds) if at)]
    modules = [
        {"idx": at, "name": str(at), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for at, (path, kind) in enumerate(zip(paths, kinds, strict=True))
    ]
    width = linears[0].in_features
    pooling = {"mean": "mean_tokens", "cls": "cls_token", "max": "max_tokens"}
    files: dict[str, Any] = {
        "modules.json": modules,
        "sentence_bert_config.json": {"max_seq_length": texts.limit, "do_lower_case": texts.lower_case},
        "1_Pooling/config.json": {
            "word_embedding_dimension": width,
            **{f"pooling_mode_{long}": model.pooling == short for short, long in pooling.items()},
        },
    }
    for at, linear in enumerate(linears):
        last = at == len(linears) - 1
        files[f"{at + 2}_Dense/config.json"] = {
            "in_features": linear.in_features,
            "out_features": linear.out_features,
            "bias": True,
            "activation_function": "torch.nn.modules.linear.Identity"
            if last
            else "torch.nn.modules.activation.Tanh",
        }
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    for at, linear in enumerate(linears):
        tensors = {
            f"linear.{name}": tensor.detach().to("cpu", torch.float32).contiguous()
            for name, tensor in linear.state_dict().items()
        }
        save_file(tensors, folder / f"{at + 2}_Dense" / "model.safetensors", metadata={"format": "pt"})
