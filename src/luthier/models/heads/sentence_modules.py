"""A folder of sentence-transformers: transformer, pooling and dense modules, whose `encode` gives what the model answers."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from luthier.models.headed import HeadedModel, new_head
from luthier.models.heads.dense import linears_of
from luthier.models.hub.inspect import Folder
from luthier.models.hub.pretrained import head_is_missing
from luthier.models.hub.static_table import MODULE as STATIC_MODULE
from luthier.models.hub.static_table import StaticTable
from luthier.models.hub.weight_files import read_header, refuse_not_finite
from luthier.models.readers.texts import Texts


def inner(body: nn.Module) -> str:
    """The body's place in a folder whose answers are more than vectors, called as sentence-transformers calls it.

    Taken for a classifier, a body whose pooling and head are modules of sentence-transformers would answer at random, as
    transformers would draw a head for it. So it lies a folder deeper, and transformers refuses the folder itself. Vectors have no
    head.
    """
    return f"0_{STATIC_MODULE if isinstance(body, StaticTable) else 'Transformer'}"


def write_what_it_is(folder: Path, state_width: int, settings: dict[str, Any]) -> None:
    """A config.json whose type no class of transformers takes, so that `pipeline` refuses the folder; with the labels, and how
    wide the body's states are."""
    known = {key: value for key, value in settings.items() if key != "sentence_transformers"}
    record = {
        "model_type": "sentence-transformers",
        "architectures": ["SentenceTransformer"],
        "hidden_size": state_width,
        **known,
    }
    (folder / "config.json").write_text(
        json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )


def write_sentence_modules(
    folder: Path, own: str, model: HeadedModel, layers: nn.Sequential, normalised: bool, texts: Texts
) -> None:
    """The body, its pooling, and one dense module for each linear layer above that.

    In the spelling that every version since 2.0 reads; a table of word vectors in that of the versions since 3.2, which have such
    a module.  own: where in the folder the body is.  normalised: whether vectors are brought to length 1.
    """
    body: Any = model.body
    body.save_pretrained(folder / own)
    linears = list(linears_of(layers))
    lowest = [(own, STATIC_MODULE)]  # which pools too
    files: dict[str, Any] = {}
    if not isinstance(body, StaticTable):
        lowest = [(own, "Transformer"), ("1_Pooling", "Pooling")]
        files = settings_of_transformer(own, model, texts)
    places = [*lowest, *((dense_folder(at), "Dense") for at in range(len(linears)))]
    places += [(f"{len(linears) + 2}_Normalize", "Normalize")] * normalised
    files["modules.json"] = [
        {"idx": at, "name": str(at), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for at, (path, kind) in enumerate(places)
    ]
    for at, (linear, activation) in enumerate(linears):
        files[f"{dense_folder(at)}/config.json"] = {
            "in_features": linear.in_features,
            "out_features": linear.out_features,
            "bias": linear.bias is not None,
            "activation_function": activation,
        }
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    for at, (linear, _) in enumerate(linears):
        tensors = {
            f"linear.{name}": tensor.detach().to("cpu", torch.float32).contiguous()
            for name, tensor in linear.state_dict().items()
        }
        save_file(tensors, folder / dense_folder(at) / "model.safetensors", metadata={"format": "pt"})


def settings_of_transformer(own: str, model: HeadedModel, texts: Texts) -> dict[str, Any]:
    """What the modules of a transformer and its pooling are told, by file."""
    pooling = {"mean": "mean_tokens", "cls": "cls_token", "max": "max_tokens"}
    return {
        str(Path(own, "sentence_bert_config.json")): {
            "max_seq_length": texts.limit,
            "do_lower_case": texts.lower_case,
        },
        "1_Pooling/config.json": {
            "word_embedding_dimension": model.state_width,
            **{f"pooling_mode_{long}": model.pooling == short for short, long in pooling.items()},
        },
    }


def read_dense_head(folder: Folder, width: int, hidden: tuple[int, ...], outputs: int) -> nn.Sequential:
    """The head of a saved model from its dense modules. Raises ModelError for one that is gone or of another shape."""
    with torch.device("meta"):  # as large as luthier.json says, which is not to be believed yet
        promised = new_head(width, hidden, outputs, 0.0)
    for at, (linear, _) in enumerate(linears_of(promised)):
        file = f"{dense_folder(at)}/model.safetensors"
        shapes = read_header(folder.home / file) if (folder.home / file).is_file() else {}
        if shapes.get("linear.weight") != tuple(linear.weight.shape):
            raise head_is_missing(folder, file, linear)
    head = new_head(width, hidden, outputs, 0.0)
    for at, (linear, _) in enumerate(linears_of(head)):
        file = f"{dense_folder(at)}/model.safetensors"
        weights = load_file(folder.home / file)
        refuse_not_finite(folder.home / file, weights.items())
        linear.load_state_dict({name.removeprefix("linear."): tensor for name, tensor in weights.items()})
    return head


def dense_folder(at: int) -> str:
    """Where the dense module of a layer lies, behind transformer and pooling."""
    return f"{at + 2}_Dense"
