"""Pre-trained models so small that a test can train them, each a real folder of its library, and rows to learn from.

    TINY["bert"](tmp_path / "bert")          a model folder; TINY holds one builder per architecture
    messages(60, seed=0)                     [("Where is my parcel today?", "delivery"), ...]
    messages_csv(tmp_path / "m.csv", 60)     the same rows as a CSV file with the columns text and label
    opened(folder, messages(60))             model, tokenizer, task and examples, ready to train

Width 32, 2 layers, 2 heads, 62 tokens at the most; the tokenizer reads any ASCII text, word by word or letter by letter.
"""

import csv
import dataclasses
import json
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from luthier.batches.text_examples import TextExamples
    from luthier.devices import Device
    from luthier.events import Event
    from luthier.models.headed import HeadedModel
    from luthier.models.texts import Texts
    from luthier.tasks.classification import Classification
    from luthier.train.loop import Pace
    from luthier.train.state import State

ABOUT = {
    "delivery": ("parcel", "courier", "delivered", "shipping", "address"),
    "refund": ("refund", "money", "charged", "invoice", "payment"),
    "praise": ("lovely", "great", "thanks", "perfect", "happy"),
    "broken": ("broken", "cracked", "faulty", "noise", "repair"),
}
"""Labels, and the words that tell them."""

PLAIN = (
    "the",
    "my",
    "is",
    "was",
    "a",
    "for",
    "with",
    "today",
    "please",
    "order",
    "it",
    "and",
    "about",
    "guitar",
)
SPECIAL = {"cls": "[CLS]", "sep": "[SEP]", "pad": "[PAD]", "unk": "[UNK]", "mask": "[MASK]"}
ROBERTA_SPECIAL = {"cls": "<s>", "pad": "<pad>", "sep": "</s>", "unk": "<unk>", "mask": "<mask>"}
POSITIONS = 62
"""Tokens a tiny model can read, special ones included."""
WIDTH = 32

SMALL: dict[str, Any] = {
    "hidden_size": WIDTH,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": POSITIONS,
    "initializer_range": 0.1,
}


def messages(rows: int, seed: int = 0, labels: int = 4) -> list[tuple[str, str]]:
    """(text, label) rows, labels in turn: each text has two words of its label among plain ones."""
    random = np.random.default_rng(seed)
    names = list(ABOUT)[:labels]
    found = []
    for row in range(rows):
        label = names[row % labels]
        words = [*random.choice(ABOUT[label], 2), *random.choice(PLAIN, random.integers(2, 12))]
        found.append((" ".join(random.permutation(words)).capitalize() + ".", label))
    return found


def messages_csv(path: Path, rows: int, seed: int = 0, labels: int = 4) -> Path:
    """`messages` as a CSV file."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("text", "label"))
        writer.writerows(messages(rows, seed, labels))
    return path


def bert(path: Path) -> Path:
    from transformers import BertConfig, BertForMaskedLM

    return save(path, BertForMaskedLM, BertConfig(**SMALL))


def roberta(path: Path) -> Path:
    """Positions count from pad_token_id + 1, so there are two more of them than tokens."""
    from transformers import RobertaConfig, RobertaForMaskedLM

    tokens = {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2, "type_vocab_size": 1}
    config = RobertaConfig(**SMALL | {"max_position_embeddings": POSITIONS + 2} | tokens)
    return save(path, RobertaForMaskedLM, config, ROBERTA_SPECIAL, token_types=False)


def xlm_roberta(path: Path) -> Path:
    """Its classification class builds the head before the body."""
    from transformers import XLMRobertaConfig, XLMRobertaForMaskedLM

    tokens = {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2, "type_vocab_size": 1}
    config = XLMRobertaConfig(**SMALL | {"max_position_embeddings": POSITIONS + 2} | tokens)
    return save(path, XLMRobertaForMaskedLM, config, ROBERTA_SPECIAL, token_types=False)


def deberta_v2(path: Path) -> Path:
    """The settings of DeBERTa-v3: relative positions in buckets, no absolute ones."""
    from transformers import DebertaV2Config, DebertaV2ForMaskedLM

    config = DebertaV2Config(
        **SMALL,
        relative_attention=True,
        position_buckets=16,
        norm_rel_ebd="layer_norm",
        share_att_key=True,
        pos_att_type=["p2c", "c2p"],
        position_biased_input=False,
        type_vocab_size=0,
    )
    return save(path, DebertaV2ForMaskedLM, config)


def modernbert(path: Path) -> Path:
    """One layer with global attention, one that sees 8 tokens to each side."""
    from transformers import ModernBertConfig, ModernBertForMaskedLM

    config = ModernBertConfig(
        **SMALL,
        global_attn_every_n_layers=2,
        local_attention=16,
        pad_token_id=2,
        cls_token_id=0,
        sep_token_id=1,
        bos_token_id=0,
        eos_token_id=1,
    )
    return save(path, ModernBertForMaskedLM, config, token_types=False)


def distilbert(path: Path) -> Path:
    from transformers import DistilBertConfig, DistilBertForMaskedLM

    config = DistilBertConfig(
        dim=WIDTH,
        n_layers=2,
        n_heads=2,
        hidden_dim=64,
        max_position_embeddings=POSITIONS,
        initializer_range=0.1,
    )
    return save(path, DistilBertForMaskedLM, config, token_types=False)


def electra(path: Path) -> Path:
    """The discriminator, which is what is tuned."""
    from transformers import ElectraConfig, ElectraForPreTraining

    return save(path, ElectraForPreTraining, ElectraConfig(**SMALL, embedding_size=16))


def albert(path: Path) -> Path:
    """Both layers share their weights."""
    from transformers import AlbertConfig, AlbertForMaskedLM

    return save(path, AlbertForMaskedLM, AlbertConfig(**SMALL, embedding_size=16))


def sentence_bert(path: Path) -> Path:
    """A sentence-transformers folder as all-MiniLM-L6-v2 is one: transformer, mean pooling, length 1."""
    from transformers import BertConfig, BertModel

    save(path, BertModel, BertConfig(**SMALL))
    modules = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    write_json(
        path / "modules.json",
        [
            {"idx": at, "name": str(at), "path": folder, "type": f"sentence_transformers.models.{kind}"}
            for at, (folder, kind) in enumerate(modules)
        ],
    )
    write_json(path / "sentence_bert_config.json", {"max_seq_length": 48, "do_lower_case": False})
    write_json(
        path / "1_Pooling" / "config.json",
        {
            "word_embedding_dimension": WIDTH,
            "pooling_mode_cls_token": False,
            "pooling_mode_mean_tokens": True,
            "pooling_mode_max_tokens": False,
            "pooling_mode_mean_sqrt_len_tokens": False,
        },
    )
    (path / "2_Normalize").mkdir()
    return path


TINY: dict[str, Callable[[Path], Path]] = {
    "bert": bert,
    "roberta": roberta,
    "xlm_roberta": xlm_roberta,
    "deberta_v2": deberta_v2,
    "modernbert": modernbert,
    "distilbert": distilbert,
    "electra": electra,
    "albert": albert,
    "sentence_bert": sentence_bert,
}
"""A builder per architecture: it fills the folder it is given, and returns it."""


def save(
    path: Path, model_class: Any, config: Any, special: dict[str, str] = SPECIAL, token_types: bool = True
) -> Path:
    """A model folder with weights drawn from one seed, and its tokenizer."""
    import torch

    from luthier.models.quiet import quiet

    tokenizer = make_tokenizer(special, token_types)
    config.vocab_size = len(tokenizer)
    config.pad_token_id = tokenizer.pad_token_id
    with torch.random.fork_rng(), quiet():
        torch.manual_seed(0)
        model_class(config).eval().save_pretrained(path)
        tokenizer.save_pretrained(path)
    return path


def make_tokenizer(special: dict[str, str] = SPECIAL, token_types: bool = True) -> Any:
    """WordPiece over the words of `messages` and all letters and signs of ASCII."""
    from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors
    from tokenizers.models import WordPiece
    from transformers import PreTrainedTokenizerFast

    signs = string.ascii_lowercase + string.digits + string.punctuation
    words = [*PLAIN, *(word for own in ABOUT.values() for word in own)]
    tokens = dict.fromkeys([*special.values(), *words, *signs, *(f"##{sign}" for sign in signs)])
    vocabulary = {token: number for number, token in enumerate(tokens)}
    fast = Tokenizer(WordPiece(vocabulary, unk_token=special["unk"]))
    fast.normalizer = normalizers.BertNormalizer(lowercase=True)
    fast.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    first, last = special["cls"], special["sep"]
    fast.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}",
        pair=f"{first} $A {last} $B:1 {last}:1",
        special_tokens=[(first, vocabulary[first]), (last, vocabulary[last])],
    )
    names = ["input_ids", *(["token_type_ids"] if token_types else []), "attention_mask"]
    return PreTrainedTokenizerFast(
        tokenizer_object=fast,
        model_max_length=POSITIONS,
        model_input_names=names,
        **{f"{role}_token": token for role, token in special.items()},
    )


def write_json(path: Path, value: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value, indent=2), encoding="utf-8")


@dataclass(frozen=True)
class Opened:
    """A tiny model with a new head, and the rows for it."""

    model: "HeadedModel"
    texts: "Texts"
    task: "Classification"
    examples: "TextExamples"

    def logits(self, tokens: int = 4_096) -> Any:
        from luthier.predict import logits_of

        return logits_of(self.model, self.examples, cpu(), tokens=tokens)

    def train(self, seed: int = 0, **pace: Any) -> "list[Event]":
        """A short training that ends with its last weights: each validation is better than the one before."""
        from luthier.train.loop import train

        pace_ = make_pace(**pace)
        state = new_state(self.model, pace_.weight_decay)
        better = map(float, count())
        events = train(
            state, self.task, self.examples, lambda: (next(better), 0.0), pace_, cpu(), seed, lambda: 0.0,
            whole(self.model),
        )  # fmt: skip
        return list(events)


def opened(folder: Path, rows: Sequence[tuple[str, Any]], way: str = "cut", **settings: Any) -> Opened:
    """Open a model folder for rows of (text, label or list of labels); settings are those of `load_classifier`."""
    from luthier.models.inspect import inspect_folder
    from luthier.models.load import load_classifier
    from luthier.models.texts import Texts
    from luthier.tasks.classification import Classification

    given = [text for text, _ in rows]
    labels = [label for _, label in rows]
    many = any(isinstance(label, list) for label in labels)
    names = sorted({name for label in labels for name in (label if many else [label])})
    task = Classification(tuple(names), many)
    found = inspect_folder(folder.name, folder)
    texts = Texts(found)
    examples, _ = texts.examples(given, task.targets(labels), way)
    return Opened(load_classifier(found, task.outputs, **settings), texts, task, examples)


def whole(model: Any) -> Any:
    """The movement of a model that trains as one."""
    from luthier.train.movement import WholeMovement

    return WholeMovement(model)


def new_state(model: Any, weight_decay: float = 0.0) -> "State":
    """A state at its beginning, all of the model in training."""
    from luthier.train.state import State
    from luthier.train.weights import Weights

    return State(model, Weights(model, whole(model).parts(), None, weight_decay))


def cpu() -> "Device":
    from luthier.devices import Device

    return Device("cpu", "fp32", threads=1)


def make_pace(**changed: Any) -> "Pace":
    """One epoch of fast steps; what is named is changed."""
    from luthier.train.loop import Pace

    pace = Pace(
        lr=5e-3,
        batch_rows=8,
        epochs=1,
        weight_decay=0.01,
        warmup=0.1,
        max_norm=1.0,
        validations=1,
        patience=100,
    )
    return dataclasses.replace(pace, **changed)
