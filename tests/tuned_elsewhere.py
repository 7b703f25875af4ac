"""Tiny models as other libraries leave them when they have tuned them, and what these libraries themselves answer.

rows_model(tmp_path / "m", labels=("refund", "praise"))    a BertForSequenceClassification with its tokenizer
logits_of(folder, texts)                                   what transformers gives for raw texts
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from luthier.models.quiet import quiet
from tiny import POSITIONS, SMALL, save


def headed(path: Path, kind: str, labels: Sequence[str] = (), **settings: Any) -> Path:
    """A tiny BERT of transformers with a head and its tokenizer. kind: the ending of its class."""
    import transformers

    named = {"id2label": dict(enumerate(labels)), "label2id": {name: at for at, name in enumerate(labels)}}
    config = transformers.BertConfig(**SMALL | (named if labels else {}) | settings)
    return save(path, getattr(transformers, f"BertFor{kind}"), config)


def rows_model(
    path: Path, labels: Sequence[str] = ("broken", "delivery", "praise", "refund"), **settings: Any
) -> Path:
    """A model that gives one of some labels to a text."""
    return headed(path, "SequenceClassification", labels, **settings)


def logits_of(folder: Path, texts: Sequence[Any], kind: str = "SequenceClassification") -> Tensor:
    """What transformers itself gives for texts, each read alone and cut as its tokenizer says."""
    import transformers

    with quiet(), torch.no_grad():
        model = getattr(transformers, f"AutoModelFor{kind}").from_pretrained(folder).eval()
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        assert tokenizer.model_max_length == POSITIONS
        found = []
        for text in texts:
            columns = (text,) if isinstance(text, str) else text
            found.append(model(**tokenizer(*columns, truncation=True, return_tensors="pt")).logits[0])
    return torch.stack(found)
