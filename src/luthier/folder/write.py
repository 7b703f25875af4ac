"""The tuned model in the format of the library its weights came from, so that it loads there without luthier."""

import contextlib
import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import normalizers
from torch import nn

from luthier.errors import InputError, WorldError
from luthier.files import whole_folder
from luthier.folder.model_record import CARD, FILE, ModelRecord, form_of, sealed_record_of
from luthier.forms import FORMS
from luthier.models.headed import HeadedModel
from luthier.models.heads.bi_encoder import BiEncoder
from luthier.models.heads.classifier import Classifier
from luthier.models.heads.dense import linears_of
from luthier.models.heads.image_model import ImageModel
from luthier.models.heads.sentence_encoder import SentenceEncoder
from luthier.models.heads.token_model import TokenModel
from luthier.models.hub.inspect import inspect_folder
from luthier.models.load import reload_model
from luthier.models.quiet import quiet
from luthier.models.readers.images import ImageReader
from luthier.models.readers.reading import preparation_of
from luthier.models.readers.texts import Texts
from luthier.tasks import TASKS

AGAIN = "The disk or a library is at fault: give the same command again, and report it if it ends the same."
EXAMPLE = "What a saved Model reads, 1 text: it's the same!"


def write_model(
    path: Path,
    model: HeadedModel,
    head: nn.Sequential,
    reader: Texts | ImageReader,
    record: ModelRecord,
    card: str,
) -> None:
    """Write a model folder, whole or not at all.

    head: dropout and linear layers, `model.head` or the probe's, in the user's units.  card: README.md.
    """
    with whole_folder(path) as folder, quiet():
        body: Any = model.body
        if isinstance(model, TokenModel):
            write_token_class(folder, model, head, settings_of(record.task))
        elif isinstance(model, ImageModel) or (isinstance(model, Classifier) and model.last_name is not None):
            assert model.last_name is not None, "its last layer was taken out"
            write_transformers(folder, body, model.last_name, head, settings_of(record.task))
        else:
            assert isinstance(reader, Texts), "images have no sentences"
            own = where_body_is(model)
            body.save_pretrained(folder / own)
            if own:
                write_what_it_is(folder, model, settings_of(record.task))
            # A bi-encoder's line through the cosine has no place there: `Task.finished` keeps it.
            write_sentence_modules(
                folder, own, model, model.dense if isinstance(model, BiEncoder) else head, reader
            )
        if isinstance(reader, Texts):
            limit = FORMS[record.task["reads"]].longest(reader)
            plain = form_of(record.pooling) == "transformers"
            write_tokenizer(folder / where_body_is(model), reader, limit, lower_case=plain)
        else:
            reader.processor.save_pretrained(folder)
        (folder / FILE).write_text(
            json.dumps(sealed_record_of(record, folder), indent=2, ensure_ascii=False) + "\n",
            encoding="utf-8",
        )
        (folder / CARD).write_text(card, encoding="utf-8")
        reopen(path, folder, model, head, reader, record)


def reopen(
    path: Path,
    folder: Path,
    model: HeadedModel,
    head: nn.Sequential,
    reader: Texts | ImageReader,
    record: ModelRecord,
) -> None:
    """Open a model that was written, as `predict` will: it has the weights that it was written from, and reads texts alike.

    folder: where it stands until it is complete.  Raises WorldError where it is another one.
    """
    try:
        # The record as a reader has it: JSON knows lists where a task has tuples.
        task = TASKS[record.task["name"]].restore(json.loads(json.dumps(record.task)))
        found = inspect_folder(str(folder), folder, FORMS[task.reads].files)
        own = FORMS[task.reads].open(found)
        again = reload_model(
            found, task.head, task.outputs, record.pooling, record.hidden, preparation_of(own)
        )
    except InputError as error:
        raise WorldError(f"{path}: was written, and cannot be opened again ({error}). {AGAIN}") from error
    pairs = [(again.body, model.body)]
    # A bi-encoder's line through the cosine has no place in the folder: the layers below it do.
    pairs += [
        (again.dense, model.dense) if isinstance(model, BiEncoder) and isinstance(again, BiEncoder)
        else (nn.ModuleList(layer for layer, _ in linears_of(again.head)),
              nn.ModuleList(layer for layer, _ in linears_of(head)))
    ]  # fmt: skip
    if not all(weigh_the_same(one, other) for one, other in pairs) or not read_the_same(own, reader):
        raise WorldError(f"{path}: was written, and opened again it is another model. {AGAIN}")


def weigh_the_same(one: nn.Module, other: nn.Module) -> bool:
    """Whether two modules have the same weights under the same names."""
    ours, theirs = one.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(
        torch.equal(ours[name].cpu(), tensor.detach().to("cpu", ours[name].dtype))
        for name, tensor in theirs.items()
    )


def read_the_same(one: Texts | ImageReader, other: Texts | ImageReader) -> bool:
    """Whether two readers make the same tokens of a text, or prepare images alike."""
    if isinstance(one, ImageReader) or isinstance(other, ImageReader):
        return (
            isinstance(one, ImageReader)
            and isinstance(other, ImageReader)
            and one.preparation == other.preparation
        )
    ours, theirs = (
        reader.encode([reader.spelt_alike(EXAMPLE)], verbose=False)["input_ids"] for reader in (one, other)
    )
    return bool(ours == theirs)


def settings_of(task: dict[str, Any]) -> dict[str, Any]:
    """What config.json says of a task's answers, as transformers spells it."""
    labels = task.get("labels")
    if task["name"] == "question-answering":  # a beginning and an end
        return {
            "id2label": {0: "LABEL_0", 1: "LABEL_1"},
            "label2id": {"LABEL_0": 0, "LABEL_1": 1},
            "problem_type": None,
        }
    if labels is None:
        names = {"id2label": {0: "LABEL_0"}, "label2id": {"LABEL_0": 0}}
        # sentence-transformers' CrossEncoder would else squeeze a single number into 0 to 1.
        plain = {"activation_fn": "torch.nn.modules.linear.Identity"}
        return {**names, "problem_type": "regression", "sentence_transformers": plain}
    kind = "multi_label_classification" if task.get("many") else "single_label_classification"
    return {
        "id2label": dict(enumerate(labels)),
        "label2id": {label: at for at, label in enumerate(labels)},
        "problem_type": kind,
    }


@contextlib.contextmanager
def changed(config: Any, settings: dict[str, Any]) -> Iterator[None]:
    """Inside, a configuration with other settings."""
    before = {name: getattr(config, name, None) for name in settings}
    for name, value in settings.items():
        setattr(config, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(config, name, value)


def write_transformers(
    folder: Path, body: Any, last_name: str, head: nn.Sequential, settings: dict[str, Any]
) -> None:
    """The architecture's own classification class, its last layer put back."""
    hole = body.get_submodule(last_name)
    body.set_submodule(last_name, head[-1])
    try:
        with changed(body.config, settings):
            body.save_pretrained(folder)
    finally:
        body.set_submodule(last_name, hole)


def write_token_class(folder: Path, model: TokenModel, head: nn.Sequential, settings: dict[str, Any]) -> None:
    """The architecture's own class for tokens, around the body that was trained."""
    import transformers

    body: Any = model.body
    with changed(body.config, settings), torch.device("meta"):
        whole = getattr(transformers, model.auto_class).from_config(body.config)
        setattr(whole, whole.base_model_prefix, body)
        whole.set_submodule(model.last_name, head[-1])
        whole.save_pretrained(folder)


def write_tokenizer(folder: Path, texts: Texts, limit: int, lower_case: bool) -> None:
    """The tokenizer with luthier's own limit, and without the truncation that its last call left in it.

    lower_case: whether it is to spell texts as luthier did before them, where no other file of the folder can tell so.
    """
    tokenizer = copy.deepcopy(texts.tokenizer)
    tokenizer.model_max_length = limit
    if tokenizer.is_fast:
        whole = tokenizer.backend_tokenizer
        whole.no_truncation()
        whole.no_padding()
        if lower_case and texts.lower_case:
            own = [] if whole.normalizer is None else [whole.normalizer]
            whole.normalizer = normalizers.Sequence([normalizers.Lowercase(), *own])
    tokenizer.save_pretrained(folder)


INNER = "0_Transformer"
"""The body's place in a sentence-transformers folder whose answers are more than vectors."""


def where_body_is(model: HeadedModel) -> str:
    """Where in the folder the body lies.

    Taken for a classifier, a body whose pooling and head are modules of sentence-transformers would answer at random:
    transformers would draw a head for it. So it lies a folder deeper, and transformers refuses the folder itself. Vectors have
    no head.
    """
    return INNER if model.pooling is not None and not isinstance(model, SentenceEncoder) else ""


def write_what_it_is(folder: Path, model: HeadedModel, settings: dict[str, Any]) -> None:
    """A config.json whose type no class of transformers takes, so that `pipeline` refuses the folder; with the labels, and how
    wide the body's states are."""
    known = {key: value for key, value in settings.items() if key != "sentence_transformers"}
    record = {
        "model_type": "sentence-transformers",
        "architectures": ["SentenceTransformer"],
        "hidden_size": model.state_width,
        **known,
    }
    (folder / "config.json").write_text(
        json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )


def write_sentence_modules(
    folder: Path, own: str, model: HeadedModel, head: nn.Sequential, texts: Texts
) -> None:
    """A sentence-transformers folder: transformer, pooling, and one dense module per layer; `encode` gives the logits.

    In the spelling that every version since 2.0 reads.  own: where in the folder the transformer is.
    """
    linears = list(linears_of(head))
    normalised = isinstance(model, SentenceEncoder | BiEncoder) and model.normalised
    kinds = ["Transformer", "Pooling", *["Dense"] * len(linears), *["Normalize"] * normalised]
    paths = [own, *(f"{at}_{kind}" for at, kind in enumerate(kinds) if at)]
    modules = [
        {"idx": at, "name": str(at), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for at, (path, kind) in enumerate(zip(paths, kinds, strict=True))
    ]
    pooling = {"mean": "mean_tokens", "cls": "cls_token", "max": "max_tokens"}
    files: dict[str, Any] = {
        "modules.json": modules,
        str(Path(own, "sentence_bert_config.json")): {
            "max_seq_length": texts.limit,
            "do_lower_case": texts.lower_case,
        },
        "1_Pooling/config.json": {
            "word_embedding_dimension": model.state_width,
            **{f"pooling_mode_{long}": model.pooling == short for short, long in pooling.items()},
        },
    }
    for at, (linear, activation) in enumerate(linears):
        files[f"{at + 2}_Dense/config.json"] = {
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
        save_file(tensors, folder / f"{at + 2}_Dense" / "model.safetensors", metadata={"format": "pt"})
