"""What config.json says of a model's answers, as transformers spells it."""

from collections.abc import Sequence
from typing import Any

ONE, SEVERAL = "single_label_classification", "multi_label_classification"


def unnamed(outputs: int) -> dict[str, Any]:
    """Outputs that have no names, such as the beginning and the end of an answer."""
    names = [f"LABEL_{at}" for at in range(outputs)]
    return {**numbered(names), "problem_type": None}


def number() -> dict[str, Any]:
    """One number in the user's units."""
    # sentence-transformers' CrossEncoder would else squeeze a single number into 0 to 1.
    plain = {"activation_fn": "torch.nn.modules.linear.Identity"}
    return {**unnamed(1), "problem_type": "regression", "sentence_transformers": plain}


def labelled(labels: Sequence[str], many: bool = False) -> dict[str, Any]:
    """A label for each output. many: whether a row may have several of them."""
    return {**numbered(labels), "problem_type": SEVERAL if many else ONE}


def numbered(names: Sequence[str]) -> dict[str, Any]:
    """Names by their numbers, and numbers by their names."""
    return {"id2label": dict(enumerate(names)), "label2id": {name: at for at, name in enumerate(names)}}
