"""The head that a folder's model was tuned with, by what its own library wrote beside the weights."""

from dataclasses import dataclass, replace
from typing import Any

from luthier.errors import ModelError, listing
from luthier.models.hub.adapter import CONFIG, Adapter
from luthier.models.hub.inspect import Folder
from luthier.models.hub.json_file import read_object

ROWS, TOKENS, SPANS, IMAGES, WRITES, VECTORS = (
    "ForSequenceClassification",
    "ForTokenClassification",
    "ForQuestionAnswering",
    "ForImageClassification",
    "ForCausalLM",
    "vectors",
)
"""The kinds of heads: five endings of classes of transformers, and the vectors of sentence-transformers."""
ENDINGS = {kind: kind for kind in (ROWS, TOKENS, SPANS, IMAGES, WRITES)} | {"LMHeadModel": WRITES}
"""The kind of head by the ending of a class's name."""
OF_ADAPTERS = {
    "SEQ_CLS": ROWS,
    "TOKEN_CLS": TOKENS,
    "QUESTION_ANS": SPANS,
    "CAUSAL_LM": WRITES,
    "FEATURE_EXTRACTION": VECTORS,
}
"""The kind of head by the `task_type` of PEFT."""
SIGMOID, IDENTITY = "torch.nn.modules.activation.Sigmoid", "torch.nn.modules.linear.Identity"
"""Functions behind the number of a CrossEncoder, as sentence-transformers spells them."""
CROSS_ENCODER = "config_sentence_transformers.json"
"""The file in which newer versions of sentence-transformers name them; with older ones they stand in config.json."""
OLDER_ACTIVATION = "sbert_ce_default_activation_function"
"""The setting that named them before sentence-transformers 4."""
SEVERAL, NUMBER = "multi_label_classification", "regression"
"""Values of `problem_type` that say that a row may have several labels, or is answered by a number."""


@dataclass(frozen=True)
class TunedHead:
    """The head of a model that was tuned elsewhere."""

    kind: str
    """One of the kinds above."""
    words: str
    """What the folder says of it, as a sentence calls it, such as `BertForSequenceClassification with 3 labels`."""
    names: tuple[str, ...] = ()
    """The names of its outputs, in their order; empty where they have none."""
    problem: str | None = None
    """The `problem_type` of transformers."""
    squeezed: bool = False
    """Whether its one number is brought to between 0 and 1 by a sigmoid, as a CrossEncoder of sentence-transformers does it."""

    @property
    def several(self) -> bool:
        """Whether a row may have several labels."""
        return self.problem == SEVERAL

    @property
    def number(self) -> bool:
        """Whether a row is answered by a number."""
        return self.problem == NUMBER or len(self.names) == 1

    def renamed(self, names: tuple[str, ...], place: str) -> "TunedHead":
        """The head with other names of its outputs. Raises ModelError where they are not as many, or not all different."""
        if len(names) != len(self.names) or len(set(names)) != len(names):
            raise ModelError(
                f"{place}: has {len(self.names):,} outputs, {listing(self.names)}, and {listing(names)} are "
                f"{len(set(names)):,} different names. Give one name for each output, in the model's order, with --label-names."
            )
        return replace(self, names=names)


def tuned_head(folder: Folder) -> TunedHead:
    """The head of a folder's model. Raises ModelError for a folder whose model has none."""
    if folder.adapter is not None and folder.adapter.task_type is not None:
        return head_of_adapter(folder, folder.adapter, folder.adapter.task_type)
    if folder.pooling is not None:
        return TunedHead(VECTORS, f"{folder.family} with the pooling {folder.pooling!r}")
    named = class_of(folder)
    kind = next((kind for ending, kind in ENDINGS.items() if named.endswith(ending)), None)
    if kind is None:
        raise ModelError(
            f"{folder.place}: config.json says {named or 'no class'}, and none that answers: its model has no head that was "
            f"tuned. Known are {listing(ENDINGS, most=len(ENDINGS))}, and folders of sentence-transformers. Tune it first: "
            f"luthier tune DATA --model {folder.name}"
        )
    names = names_in(folder.config) if kind in (ROWS, TOKENS, IMAGES) else ()
    return TunedHead(
        kind, with_labels(named, names), names, problem_in(folder.config), squeezed=squeezes(folder, names)
    )


def class_of(folder: Folder) -> str:
    """The class that config.json names; empty where it names none."""
    classes = folder.config.get("architectures")
    return str(classes[0]) if isinstance(classes, list) and classes else ""


def with_labels(named: str, names: tuple[str, ...]) -> str:
    """A class with how many labels its head has."""
    return f"{named} with {len(names)} label{'s' if len(names) > 1 else ''}" if names else named


def problem_in(config: dict[str, Any]) -> str | None:
    """The `problem_type` of a config.json."""
    found = config.get("problem_type")
    return found if isinstance(found, str) else None


def names_in(config: dict[str, Any]) -> tuple[str, ...]:
    """The names of the outputs by a config.json, which leaves out what transformers takes for granted: two labels.

    >>> names_in({"id2label": {"1": "good", "0": "bad"}}), names_in({"num_labels": 1}), names_in({})
    (('bad', 'good'), ('LABEL_0',), ('LABEL_0', 'LABEL_1'))
    """
    numbered = config.get("id2label")
    if isinstance(numbered, dict) and numbered and all(str(key).isdigit() for key in numbered):
        return tuple(str(numbered[key]) for key in sorted(numbered, key=int))
    count = config.get("num_labels", 2)
    return unnamed(count if isinstance(count, int) else 2)


def squeezes(folder: Folder, names: tuple[str, ...]) -> bool:
    """Whether sentence-transformers saved a model of one output, and brings its number to between 0 and 1: what it does where its
    settings name no other function. Raises ModelError for a function that is not known."""
    newer, own = read_object(folder.home / CROSS_ENCODER), folder.config.get("sentence_transformers")
    older = folder.config.get(OLDER_ACTIVATION)
    if len(names) != 1 or not (newer or isinstance(own, dict) or older):
        return False
    asked = newer.get("activation_fn") or (own or {}).get("activation_fn") or older or SIGMOID
    if asked not in (SIGMOID, IDENTITY):
        raise ModelError(
            f"{folder.path / 'config.json'}: puts {str(asked)[:80]!r} behind the model's number, which luthier does not know and "
            f"will not import. Known are {listing([SIGMOID, IDENTITY])}."
        )
    return bool(asked == SIGMOID)


def unnamed(count: int) -> tuple[str, ...]:
    """The names that transformers gives to outputs without a name."""
    return tuple(f"LABEL_{at}" for at in range(count))


def head_of_adapter(folder: Folder, adapter: Adapter, task_type: str) -> TunedHead:
    """The head of an adapter: its own, else that of the model that it was made for."""
    if task_type not in OF_ADAPTERS:
        raise ModelError(
            f"{adapter.path / CONFIG}: task_type is {task_type[:40]!r}, which is not judged. Known are "
            f"{listing(OF_ADAPTERS)}."
        )
    kind, config = OF_ADAPTERS[task_type], folder.config
    words = f"an adapter of {task_type}"
    if kind not in (ROWS, TOKENS):
        return TunedHead(kind, words)
    below = names_in(config)
    count = min((shape[0] for shape in adapter.heads.values() if len(shape) == 2), default=None)
    if count is None and not class_of(folder).endswith(kind):
        raise ModelError(
            f"{adapter.path}: is an adapter of {task_type} without a head, and its base has none either. Save it again with "
            'the head: modules_to_save=["classifier"] in its LoraConfig.'
        )
    names = below if count in (None, len(below)) else unnamed(int(count or 0))
    return TunedHead(kind, with_labels(words, names), names, problem_in(config))
