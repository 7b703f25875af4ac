"""Pre-trained models so small that a test can train them, each a real folder of its library, and rows to learn from.

    TINY["bert"](tmp_path / "bert")          a model folder; TINY holds one builder per architecture
    messages(60, seed=0)                     [("Where is my parcel today?", "delivery"), ...]
    messages_csv(tmp_path / "m.csv", 60)     the same rows as a CSV file with the columns text and label
    opened(folder, messages(60))             model, tokenizer, task and examples, ready to train
    TINY_IMAGES["vit"](tmp_path / "vit")     a folder of a model that reads images; TINY_IMAGES holds one builder per form
    pairs_jsonl, tagged_jsonl, ...           learnable rows of the other tasks

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
    from luthier.models.readers.texts import Texts
    from luthier.tasks.classification.task import Classification
    from luthier.train.loop import TrainSettings
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


def write_jsonl(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def preferred(rows: int, seed: int = 0) -> list[dict[str, str]]:
    """Prompts with two answers, of which the kind one is chosen, whichever is longer."""
    random, kind, rude = np.random.default_rng(seed), ("please", "gladly", "sorry"), ("no", "never", "hardly")
    found = []
    for text, _ in messages(rows, seed):
        both = [
            " ".join(
                random.permutation([*random.choice(how, 2), *random.choice(PLAIN, random.integers(1, 5))])
            )
            for how in (kind, rude)
        ]
        found.append({"prompt": text, "chosen": both[0], "rejected": both[1]})
    return found


def preferences_jsonl(path: Path, rows: int, seed: int = 0) -> Path:
    """`preferred` as lines of JSON."""
    return write_jsonl(path, preferred(rows, seed))


def judged_jsonl(path: Path, rows: int, seed: int = 0) -> Path:
    """Prompts with one answer each, which a label judges; a third of them are good."""
    found = []
    for at, row in enumerate(preferred(rows, seed)):
        good = at % 3 == 0
        answer = row["chosen" if good else "rejected"]
        found.append({"prompt": row["prompt"], "completion": answer, "label": good})
    return write_jsonl(path, found)


def pairs_jsonl(path: Path, rows: int, seed: int = 0) -> Path:
    """Two texts a row; what the second one is about decides between two labels."""
    first, second = messages(rows, seed + 1), messages(rows, seed, labels=2)
    return write_jsonl(
        path,
        [
            {"premise": one, "hypothesis": two, "label": "follows" if about == "refund" else "contradicts"}
            for (one, _), (two, about) in zip(first, second, strict=True)
        ],
    )


def likened_jsonl(path: Path, rows: int, seed: int = 0) -> Path:
    """Two texts a row, and a number from 0 to 5: the greater, the more likely they are about the same."""
    random = np.random.default_rng(seed + 20)
    pairs = zip(messages(rows, seed + 1), messages(rows, seed + 2), strict=True)
    return write_jsonl(
        path,
        [
            {
                "sentence1": one,
                "sentence2": other,
                "score": round((3.5 if about == same else 0.5) + 1.5 * float(random.random()), 2),
            }
            for (one, about), (other, same) in pairs
        ],
    )


def numbers_jsonl(path: Path, rows: int, seed: int = 0) -> Path:
    """A text and a number, around 100, that its topic decides but for a little noise."""
    random = np.random.default_rng(seed + 10)
    price = dict(zip(ABOUT, (60.0, 90.0, 115.0, 140.0), strict=True))
    return write_jsonl(
        path,
        [
            {"text": text, "score": round(price[label] + 3 * float(random.standard_normal()), 2)}
            for text, label in messages(rows, seed)
        ],
    )


def conversations_jsonl(path: Path, rows: int, seed: int = 0, labels: int = 2) -> Path:
    """What a user says, and the topic as the assistant's answer."""
    made = [
        {"messages": [{"role": "user", "content": text}, {"role": "assistant", "content": label}]}
        for text, label in messages(rows, seed, labels)
    ]
    return write_jsonl(path, made)


def documents_jsonl(path: Path, rows: int, seed: int = 0) -> Path:
    """Texts of two topics that follow each other, to be read on and on."""
    texts = [text for text, _ in messages(2 * rows, seed, labels=2)]
    return write_jsonl(
        path, [{"text": f"{one} {two}"} for one, two in zip(texts[::2], texts[1::2], strict=True)]
    )


def tagged_jsonl(path: Path, rows: int, seed: int = 0) -> Path:
    """Words with tags in IOB2: one or two words of a topic are an entity of its name; some rows have none."""
    random = np.random.default_rng(seed)
    made = []
    for row in range(rows):
        words = [(str(word), "O") for word in random.choice(PLAIN, random.integers(3, 9))]
        for kind in random.choice(list(ABOUT), row % 3, replace=False):
            entity = random.choice(ABOUT[kind], random.integers(1, 3))
            tags = [f"{mark}-{kind}" for mark in "BI"]
            at = int(random.integers(len(words) + 1))
            at += sum(tag.startswith("I-") for _, tag in words[at : at + 1])  # never within another one
            words[at:at] = list(zip(map(str, entity), tags, strict=False))
        made.append({"tokens": [word for word, _ in words], "tags": [tag for _, tag in words]})
    return write_jsonl(path, made)


def queries_jsonl(path: Path, rows: int, seed: int = 0) -> Path:
    """Queries of two words, and texts of the two other words that mean the same."""
    words = [word for about in ABOUT.values() for word in about]
    alike = dict(zip(words[::2], words[1::2], strict=True))
    pairs = [(one, two) for one in alike for two in alike if one != two]
    chosen = np.random.default_rng(seed).permutation(len(pairs))[:rows]
    return write_jsonl(
        path,
        [
            {
                "query": f"{pairs[at][0]} {pairs[at][1]}",
                "positive": f"{alike[pairs[at][0]]} {alike[pairs[at][1]]}",
            }
            for at in chosen
        ],
    )


def questions_jsonl(path: Path, rows: int, seed: int = 0) -> Path:
    """A text of plain words with one word of a topic, which is the answer; each fifth question has none."""
    random = np.random.default_rng(seed)
    topics = [word for own in ABOUT.values() for word in own]
    made = []
    for row in range(rows):
        words = [str(word) for word in random.choice(PLAIN, random.integers(6, 14))]
        answers: dict[str, list[Any]] = {"text": [], "answer_start": []}
        if row % 5:
            at = int(random.integers(len(words)))
            words[at] = str(random.choice(topics))
            answers = {"text": [words[at]], "answer_start": [len(" ".join([*words[:at], ""]))]}
        made.append({"context": " ".join(words), "question": "is it about my order", "answers": answers})
    return write_jsonl(path, made)


def images_folder(path: Path, rows: int, seed: int = 0) -> Path:
    """class/file of noise in three colours, as PNG of 24 x 24 to 30 x 24 pixels."""
    from PIL import Image

    random = np.random.default_rng(seed)
    colours = {"blue": (40, 60, 200), "green": (50, 190, 60), "red": (210, 50, 40)}
    for row in range(rows):
        label = list(colours)[row % 3]
        noise = random.normal(0, 45, (24, 24 + int(random.integers(7)), 3))
        pixels = np.clip(np.array(colours[label]) + noise, 0, 255).astype(np.uint8)
        (path / label).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path / label / f"{row:03}.png")
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


def mobilenet_v2(path: Path) -> Path:
    """Depthwise convolutions of stride 2, batch norms, a processor that cuts the middle out."""
    from transformers import MobileNetV2Config, MobileNetV2ForImageClassification

    config = MobileNetV2Config(depth_multiplier=0.05, min_depth=8, image_size=32)
    processor = {"size": {"shortest_edge": 36}, "crop_size": {"height": 32, "width": 32}}
    return save_images(
        path, MobileNetV2ForImageClassification, config, "MobileNetV2ImageProcessorPil", **processor
    )


def vit(path: Path) -> Path:
    from transformers import ViTConfig, ViTForImageClassification

    config = ViTConfig(
        hidden_size=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        image_size=32,
        patch_size=8,
        hidden_dropout_prob=0.1,
        initializer_range=0.1,
    )
    return save_images(
        path, ViTForImageClassification, config, "ViTImageProcessorPil", size={"height": 32, "width": 32}
    )


def resnet(path: Path) -> Path:
    """Batch norms after every convolution; ConvNeXt's processor, as microsoft/resnet-18 has it."""
    from transformers import ResNetConfig, ResNetForImageClassification

    config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
    return save_images(
        path, ResNetForImageClassification, config, "ConvNextImageProcessorPil", size={"shortest_edge": 32}
    )


def convnext(path: Path) -> Path:
    from transformers import ConvNextConfig, ConvNextForImageClassification

    config = ConvNextConfig(hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1], image_size=32, patch_size=2)
    return save_images(
        path, ConvNextForImageClassification, config, "ConvNextImageProcessorPil", size={"shortest_edge": 32}
    )


TINY_IMAGES: dict[str, Callable[[Path], Path]] = {
    "mobilenet_v2": mobilenet_v2,
    "vit": vit,
    "resnet": resnet,
    "convnext": convnext,
}
"""As TINY, of models that read images of 32 pixels a side."""


def save_images(path: Path, model_class: Any, config: Any, processor: str, **settings: Any) -> Path:
    """A model folder with weights drawn from one seed, batch norms that have seen noise, and its processor."""
    import torch
    import transformers

    from luthier.models.quiet import quiet

    with torch.random.fork_rng(), quiet():
        torch.manual_seed(0)
        model = model_class(config)
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = None  # so that its statistics are the mean over what it sees
        model.train()
        for _ in range(3):
            model(pixel_values=torch.randn(16, 3, 32, 32))
        model.eval().save_pretrained(path)
        getattr(transformers, processor)(**settings).save_pretrained(path)
    return path


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


def lower_casing(path: Path, most: int = 48) -> Path:
    """A sentence encoder that is to be given small letters alone, which its tokenizer does not see to, and so many tokens."""
    sentence_bert(path)
    write_json(path / "sentence_bert_config.json", {"max_seq_length": most, "do_lower_case": True})
    tokenizer = json.loads((path / "tokenizer.json").read_text())
    tokenizer["normalizer"]["lowercase"] = False
    write_json(path / "tokenizer.json", tokenizer)
    return path


def with_dense(path: Path) -> Path:
    """all-MiniLM's modules with two dense ones between pooling and length 1, as LaBSE has one."""
    import torch
    from safetensors.torch import save_file

    sentence_bert(path)
    modules = json.loads((path / "modules.json").read_text())
    modules[2:2] = [{"path": f"{at}_Dense", "type": "sentence_transformers.models.Dense"} for at in (2, 3)]
    write_json(path / "modules.json", [{**one, "idx": at, "name": str(at)} for at, one in enumerate(modules)])
    torch.manual_seed(0)
    for at, (inputs, outputs, kind) in enumerate([(32, 24, "activation.Tanh"), (24, 12, "linear.Identity")]):
        settings = {
            "in_features": inputs,
            "out_features": outputs,
            "bias": at == 0,
            "activation_function": f"torch.nn.modules.{kind}",
        }
        write_json(path / f"{at + 2}_Dense" / "config.json", settings)
        weights = {"linear.weight": torch.randn(outputs, inputs) / 4, "linear.bias": torch.randn(outputs)}
        save_file(
            {name: weights[name] for name in list(weights)[: 2 - at]},
            path / f"{at + 2}_Dense" / "model.safetensors",
        )
    return path


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

    def train(self, seed: int = 0, **train_settings: Any) -> "list[Event]":
        """A short training that ends with its last weights: each validation is better than the one before."""
        from luthier.train.loop import Lesson, train

        pace_ = make_settings(**train_settings)
        state = new_state(self.model, pace_.weight_decay)
        better = map(float, count())
        lesson = Lesson(self.task, self.examples, lambda: (next(better), 0.0), seed)
        return list(train(state, lesson, pace_, whole(self.model), cpu(), lambda: 0.0))


def opened(folder: Path, rows: Sequence[tuple[str, Any]], way: str = "cut", **settings: Any) -> Opened:
    """Open a model folder for rows of (text, label or list of labels); settings are those of `Wanted`."""
    from luthier.models.heads.head import Wanted
    from luthier.models.hub.inspect import inspect_folder
    from luthier.models.load import load_model
    from luthier.models.readers.texts import Texts
    from luthier.tasks.classification.task import Classification

    given = [text for text, _ in rows]
    labels = [label for _, label in rows]
    many = any(isinstance(label, list) for label in labels)
    names = sorted({name for label in labels for name in (label if many else [label])})
    task = Classification(tuple(names), many)
    found = inspect_folder(folder.name, folder)
    texts = Texts(found)
    examples, _ = texts.examples(given, task.targets(labels), way)
    return Opened(load_model(found, Wanted(task.outputs, **settings)), texts, task, examples)


@dataclass(frozen=True)
class WholeModel:
    """The loop's Unfreezing for a model without a ladder: all of it moves, alike, from the first step to the last."""

    model: Any

    def enter(self, epoch: int) -> None:
        self.model.train()

    def scales(self, epoch: int) -> dict[int, float]:
        return {0: 1.0}

    def parts(self) -> list[Any]:
        """Every parameter; norms and biases are not decayed."""
        from luthier.train.flat_parameters import Part

        return [Part(name, 0, weight.ndim > 1) for name, weight in self.model.named_parameters()]


def whole(model: Any) -> Any:
    """The unfreezing of a model that trains as one."""
    return WholeModel(model)


def new_state(model: Any, weight_decay: float = 0.0) -> "State":
    """A state at its beginning, all of the model in training."""
    from luthier.train.state import State
    from luthier.train.weights import Weights

    return State(model, Weights(model, whole(model).parts(), None, weight_decay))


def cpu() -> "Device":
    from luthier.devices import Device

    return Device("cpu", "fp32", threads=1)


def make_settings(**changed: Any) -> "TrainSettings":
    """One epoch of fast steps; what is named is changed."""
    from luthier.train.loop import TrainSettings

    train_settings = TrainSettings(
        lr=5e-3,
        batch_rows=8,
        epochs=1,
        weight_decay=0.01,
        warmup=0.1,
        max_norm=1.0,
        validations=1,
        patience=100,
    )
    return dataclasses.replace(train_settings, **changed)
