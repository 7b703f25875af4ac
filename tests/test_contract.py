"""What every task keeps to, whatever its rows are made of: learnt, resumed, cut into parts, saved, asked, reported."""

import hashlib
import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from browser import Browser
from command import luthier
from luthier.arrays import Ints
from luthier.batches.examples import Examples
from luthier.candidates.records import ScoredRecord
from luthier.data.read import read
from luthier.events import Event, Noted, Stepped, Work
from luthier.folder.artefacts import Artefacts
from luthier.folder.model_folder import ModelFolder
from luthier.models.ladder.policies import AllRungs
from luthier.models.quiet import quiet
from luthier.models.readers.texts import Texts
from luthier.plan.plan import Plan
from luthier.prepare.prepare import Prepared, prepare
from luthier.scores.metrics import METRICS
from luthier.session.runs import plan_of
from luthier.steps import tune
from luthier.tasks import TASKS
from luthier.tasks.answers import Answers
from luthier.tasks.calibration import Calibration
from luthier.tasks.guess import guess_kind
from luthier.tasks.outputs import Outputs, arrays_of, to_arrays
from luthier.train.loop import Lesson, train
from luthier.train.state import State
from luthier.train.unfreezing import LadderUnfreezing
from luthier.train.weights import Weights
from present import present
from tiny import (
    TINY_IMAGES,
    bert,
    conversations_jsonl,
    cpu,
    documents_jsonl,
    images_folder,
    judged_jsonl,
    likened_jsonl,
    lower_casing,
    make_settings,
    messages_csv,
    numbers_jsonl,
    pairs_jsonl,
    preferences_jsonl,
    preferred,
    queries_jsonl,
    questions_jsonl,
    sentence_bert,
    tagged_jsonl,
    write_jsonl,
)
from tiny_llamas import byte_level, llama

pytestmark = pytest.mark.slow

Logits = np.ndarray[Any, np.dtype[np.float32]]

SETTINGS: dict[str, Any] = {
    "method": "full", "lr": 3e-3, "epochs": 8, "batch_rows": 8, "patience": 100, "precision": "fp32", "threads": 1,
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A task with rows from which a tiny model can learn it."""

    data: Callable[[Path], Path]
    """Writes the rows at a path, and gives what `luthier tune` is to be called with."""
    given: Callable[[Path], list[Any]]
    """The same rows as a caller of Python's `predict` hands them over."""
    plain_logits: Callable[[Path, list[Any]], Logits] | None
    """Logits of a saved model for such rows, by nothing but the library that the model belongs to; None where its answers are no
    logits of rows."""
    metrics: set[str]
    """Those that the scorecard must have, the first of the task's own among them."""
    model: Callable[[Path], Path] = bert
    settings: dict[str, Any] = field(default_factory=dict)
    plain_answers: Callable[[Path, list[Any]], list[Any]] | None = None
    """What a saved model answers to such rows, by transformers alone, where its answers are no logits of rows."""


# The libraries' own ways


def rows_of(data: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.read_text().splitlines()]


def texts_of(data: Path) -> list[str]:
    if data.suffix == ".csv":
        return [line.rsplit(",", 1)[0].strip('"') for line in data.read_text().splitlines()[1:]]
    return [row["text"] for row in rows_of(data)]


def pairs_of(data: Path) -> list[tuple[str, str]]:
    return [(row["premise"], row["hypothesis"]) for row in rows_of(data)]


def likened_of(data: Path) -> list[tuple[str, str]]:
    return [(row["sentence1"], row["sentence2"]) for row in rows_of(data)]


def words_of(data: Path) -> list[list[str]]:
    return [row["tokens"] for row in rows_of(data)]


def questions_of(data: Path) -> list[tuple[str, str]]:
    return [(row["question"], row["context"]) for row in rows_of(data)]


def queries_of(data: Path) -> list[str]:
    return [row["query"] for row in rows_of(data)]


def conversations_of(data: Path) -> list[Any]:
    return [row["messages"] for row in rows_of(data)]


def images_of(data: Path) -> list[Path]:
    return sorted(data.rglob("*.png"))


def opened_plainly(path: Path, auto_class: str) -> tuple[Any, Any]:
    """Model and tokenizer of a folder, by transformers alone."""
    import transformers

    with quiet():
        model = getattr(transformers, auto_class).from_pretrained(path).eval()
        return model, transformers.AutoTokenizer.from_pretrained(path)


def logits_of_texts(path: Path, texts: list[str]) -> Logits:
    model, tokenizer = opened_plainly(path, "AutoModelForSequenceClassification")
    with torch.no_grad():
        logits: Logits = model(
            **tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
        ).logits.numpy()
    return logits


def vectors_of_texts(path: Path, texts: list[str]) -> Logits:
    from sentence_transformers import SentenceTransformer

    with quiet():
        return SentenceTransformer(str(path), device="cpu").encode(texts)


def logits_of_pairs(path: Path, pairs: list[tuple[str, str]]) -> Logits:
    model, tokenizer = opened_plainly(path, "AutoModelForSequenceClassification")
    columns = [list(texts) for texts in zip(*pairs, strict=True)]
    with torch.no_grad():
        logits: Logits = model(
            **tokenizer(*columns, padding=True, truncation=True, return_tensors="pt")
        ).logits.numpy()
    return logits


def cosines_of_pairs(path: Path, pairs: list[tuple[str, str]]) -> Logits:
    one, other = (vectors_of_texts(path, list(texts)) for texts in zip(*pairs, strict=True))
    near: Logits = (one * other).sum(axis=1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)
    return near[:, None]


def logits_of_words(path: Path, rows: list[list[str]]) -> Logits:
    """(words, tags) at the first token of each word, row by row."""
    model, tokenizer = opened_plainly(path, "AutoModelForTokenClassification")
    found = []
    for words in rows:
        encoded = tokenizer(words, is_split_into_words=True, return_tensors="pt")
        with torch.no_grad():
            logits = model(**encoded).logits[0].numpy()
        places = encoded.word_ids(0)
        found.append(logits[[places.index(word) for word in range(len(words))]])
    return np.concatenate(found)


def logits_of_questions(path: Path, rows: list[tuple[str, str]]) -> Logits:
    """(tokens, 2) of beginning and end, row by row."""
    model, tokenizer = opened_plainly(path, "AutoModelForQuestionAnswering")
    found = []
    for question, context in rows:
        with torch.no_grad():
            out = model(**tokenizer(question, context, return_tensors="pt"))
        found.append(torch.stack([out.start_logits[0], out.end_logits[0]], dim=1).numpy())
    return np.concatenate(found)


def logits_of_images(path: Path, files: list[Path]) -> Logits:
    from transformers import AutoImageProcessor, AutoModelForImageClassification

    with quiet():
        model = AutoModelForImageClassification.from_pretrained(path).eval()
        processor = AutoImageProcessor.from_pretrained(path, backend="pil")
    images = [Image.open(file).convert("RGB") for file in files]
    with torch.no_grad():
        logits: Logits = model(**processor(images, return_tensors="pt")).logits.numpy()
    return logits


def written_by_transformers(path: Path, conversations: list[Any]) -> list[str]:
    """What is written to all but the last turn of each conversation, as the folder says how."""
    model, tokenizer = opened_plainly(path, "AutoModelForCausalLM")
    found = []
    for turns in conversations:
        asked = tokenizer.apply_chat_template(
            turns[:-1], add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        with torch.no_grad():
            written = model.generate(**asked, do_sample=False)[0, asked["input_ids"].shape[1] :]
        ends = torch.tensor(model.generation_config.eos_token_id)
        found.append(tokenizer.decode(written[~torch.isin(written, ends)]))
    return found


def losses_by_transformers(path: Path, texts: list[str]) -> list[Any]:
    """The mean surprise at each token of a text, and at its end."""
    model, tokenizer = opened_plainly(path, "AutoModelForCausalLM")
    found = []
    for text in texts:
        ids = torch.tensor([[*tokenizer(text).input_ids, tokenizer.eos_token_id]])
        with torch.no_grad():
            found.append(pytest.approx(float(model(input_ids=ids, labels=ids).loss), abs=1e-4))
    return found


def speaking(path: Path) -> Path:
    """A tiny language model in whose context there is room for examples."""
    return llama(path, byte_level(), max_position_embeddings=1024)


def asked_of(data: Path) -> list[str]:
    return [row["prompt"] for row in rows_of(data)]


def answers_of(data: Path) -> list[dict[str, Any]]:
    return [{"prompt": row["prompt"], "completion": row["completion"]} for row in rows_of(data)]


def preferences_to_score(path: Path) -> Path:
    """Preferences, with the answer that `predict` is to score in a column of its own."""
    return write_jsonl(path, [{**row, "completion": row["chosen"]} for row in preferred(80)])


def talks_of(tokenizer: Any, rows: list[dict[str, Any]]) -> list[str]:
    """Prompts with their answers as the tokenizer's own template writes them."""
    talks = [
        [{"role": "user", "content": row["prompt"]}, {"role": "assistant", "content": row["completion"]}]
        for row in rows
    ]
    return [tokenizer.apply_chat_template(talk, tokenize=False) for talk in talks]


def scores_of_answers(path: Path, rows: list[dict[str, Any]]) -> Logits:
    model, tokenizer = opened_plainly(path, "AutoModelForSequenceClassification")
    texts = talks_of(tokenizer, rows)
    with torch.no_grad():
        logits: Logits = model(
            **tokenizer(texts, padding=True, add_special_tokens=False, return_tensors="pt")
        ).logits.numpy()
    return logits


def small_llama(path: Path) -> Path:
    return llama(path, byte_level(), initializer_range=0.1)


CASES: dict[str, Case] = {
    "text-classification": Case(
        lambda path: messages_csv(path / "rows.csv", 80),
        texts_of,
        logits_of_texts,
        {"accuracy", "macro_f1", "log_loss", "brier", "ece"},
    ),
    "pair-classification": Case(
        lambda path: pairs_jsonl(path / "rows.jsonl", 80),
        pairs_of,
        logits_of_pairs,
        {"accuracy", "macro_f1", "log_loss", "brier", "ece"},
    ),
    "regression": Case(
        lambda path: numbers_jsonl(path / "rows.jsonl", 80),
        texts_of,
        logits_of_texts,
        {"spearman", "pearson", "r2", "mae"},
    ),
    "regression, of two texts read apart": Case(
        lambda path: likened_jsonl(path / "rows.jsonl", 80),
        likened_of,
        cosines_of_pairs,
        {"spearman", "pearson", "r2", "mae"},
        model=sentence_bert,
        settings={"pair": "bi-encoder", "epochs": 12},
    ),
    "token-classification": Case(
        lambda path: tagged_jsonl(path / "rows.jsonl", 100),
        words_of,
        logits_of_words,
        {"f1", "precision", "recall", "accuracy"},
    ),
    "question-answering": Case(
        lambda path: questions_jsonl(path / "rows.jsonl", 90),
        questions_of,
        logits_of_questions,
        {"f1", "exact_match", "answerable_f1", "unanswerable_accuracy"},
        settings={"cloze": 80},
    ),
    "image-classification": Case(
        lambda path: images_folder(path / "rows", 72),
        images_of,
        logits_of_images,
        {"accuracy", "macro_f1", "log_loss", "brier", "ece"},
        model=TINY_IMAGES["resnet"],
    ),
    "embedding": Case(
        lambda path: queries_jsonl(path / "rows.jsonl", 80),
        queries_of,
        vectors_of_texts,
        {"mrr", "recall_at_1", "recall_at_10"},
        model=sentence_bert,
        settings={"batch_rows": 16, "epochs": 12},
    ),
    "chat": Case(
        lambda path: conversations_jsonl(path / "rows.jsonl", 80),
        conversations_of,
        None,
        {"exact_match", "rouge_l", "chrf", "loss", "perplexity"},
        model=speaking,
        plain_answers=written_by_transformers,
    ),
    "adaptation": Case(
        lambda path: documents_jsonl(path / "rows.jsonl", 80),
        texts_of,
        None,
        {"loss", "perplexity"},
        model=speaking,
        settings={"task": "adaptation"},  # texts alone may also lack a label that was forgotten
        plain_answers=losses_by_transformers,
    ),
    "preference": Case(
        lambda path: preferences_jsonl(path / "rows.jsonl", 80),
        asked_of,
        None,
        {"reward_accuracy"},
        model=small_llama,
    ),
    "preference, of answers that were judged": Case(
        lambda path: judged_jsonl(path / "rows.jsonl", 120),
        asked_of,
        None,
        {"reward_accuracy"},
        model=small_llama,
        settings={"beta": 0.5},
    ),
    "preference, by a model that scores": Case(
        lambda path: preferences_to_score(path / "rows.jsonl"),
        answers_of,
        scores_of_answers,
        {"reward_accuracy"},
        model=small_llama,
        settings={"objective": "reward"},
    ),
}


NAMED = ("adaptation",)
"""Tasks that no rows are guessed to be for."""


def test_every_task_has_a_case() -> None:
    assert {task_of(name) for name in CASES} == TASKS.keys()


def task_of(case: str) -> str:
    """The task of a case, whose name may say more after a comma."""
    return case.split(",")[0]


# Runs


@dataclass(frozen=True)
class Home:
    """A case's data and model in a folder of their own."""

    name: str
    """The task's."""
    case: Case
    path: Path
    data: Path
    model: Path

    @property
    def words(self) -> tuple[str, ...]:
        """What of the task has to be said on a command line."""
        return ("--task", self.name) if self.name in NAMED else ()

    def plan(self, out: Path, **changed: Any) -> Plan:
        places = {"data.path": str(self.data), "model.name": str(self.model), "run.out": str(out)}
        return Plan.build(places | SETTINGS | self.case.settings | changed)


@pytest.fixture(scope="module", params=CASES)
def home(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Home:
    case = CASES[request.param]
    path = tmp_path_factory.mktemp(request.param)
    return Home(task_of(request.param), case, path, case.data(path), case.model(path / "model"))


@dataclass(frozen=True)
class Finished:
    """A run from its beginning to its end."""

    folder: ModelFolder
    events: list[Event]

    @property
    def losses(self) -> list[float]:
        return [event.loss for event in self.events if isinstance(event, Stepped)]


def run(plan: Plan) -> Finished:
    work = Work(tune.tune(plan))
    events = list(work)
    return Finished(work.result, events)


@pytest.fixture(scope="module")
def finished(home: Home) -> Finished:
    return run(home.plan(home.path / "run"))


@pytest.fixture(scope="module")
def ready(home: Home, finished: Finished) -> Prepared:
    """The rows and the model of the finished run, before anything is learnt: to be read, and not to be trained."""
    return prepare(home.plan(home.path / "run"))


def killed(plan: Plan, step: int) -> None:
    """A run that is left where it stands, as one that is killed: nothing more is asked of it."""
    for event in tune.tune(plan):
        if isinstance(event, Stepped) and event.step == step:
            return
    raise AssertionError("it ended before")


def outcome(out: Path) -> dict[str, str]:
    """Hashes of weights and answers."""
    files = sorted([*out.glob("model/**/*.safetensors"), *out.glob("predictions/*")])
    return {str(file.relative_to(out)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


# Learnt


@pytest.mark.precision
def test_a_task_learns_its_rows(finished: Finished) -> None:
    losses, record = finished.losses, finished.folder.scorecard.record
    usual, *_, tuned = record["candidates"]

    assert np.mean(losses[-8:]) < 0.6 * np.mean(losses[:8])
    assert METRICS[record["metric"]].gain(tuned["test"], usual["test"]) > 0


@pytest.mark.parametrize("name", [name for name in TASKS if name not in NAMED])
def test_the_example_rows_of_a_task_are_guessed_to_be_its_own(name: str, tmp_path: Path) -> None:
    """As docs show them; of a number, of which few say little, in several variants."""
    nobody_asked = dict.fromkeys(role for kind in TASKS.values() for role in kind.roles)
    rows = [
        {key: value + number / 4 if isinstance(value, float) else value for key, value in row.items()}
        for number in range(5)
        for row in TASKS[name].example
    ]

    kind, _ = guess_kind(read(write_jsonl(tmp_path / "rows.jsonl", rows)), nobody_asked)

    assert kind.name == name


# Resumed


def test_a_run_killed_in_training_ends_with_the_same_bytes_as_one_never_killed(
    home: Home, finished: Finished, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    per_epoch = math.ceil(len(finished.losses) / (SETTINGS | home.case.settings)["epochs"])

    killed(home.plan(out, save_every="0.001s"), per_epoch - 2)
    killed(plan_of(out), 2 * per_epoch + 1)
    resumed = run(plan_of(out))

    assert f"Going on from step {2 * per_epoch}, which was saved." in [
        event.text for event in resumed.events if isinstance(event, Noted)
    ]
    assert outcome(out) == outcome(finished.folder.path)
    assert any(name.endswith(".safetensors") for name in outcome(out))


# In parts


def compared(ready: Prepared) -> Examples:
    """The training rows, with what the untouched model says of them where the loss compares with that."""
    task, examples = ready.rows.task, ready.examples["train"]
    if task.reference is None:
        return examples
    told = list(task.reference.told(task, ready.model, examples, ready.device))
    order = np.argsort(np.concatenate([rows for rows, _ in told]))
    return task.reference.given(task, examples, np.concatenate([values for _, values in told])[order])


def gradients(plan: Plan, micro_tokens: int) -> tuple[dict[str, Tensor], float, int]:
    """The gradients of the first step, dropout and all, by weight; its loss; and how many parts it took."""
    ready = prepare(plan)
    kept: dict[str, Tensor] = {}
    parts: list[int] = []
    unfreezing = LadderUnfreezing(ready.model, ready.ladder, AllRungs())
    state = State(ready.model, Weights(ready.model, unfreezing.parts(1), ready.masters, weight_decay=0.0))

    def keep(lr: float, scales: Any, weight: float, norm: float, max_norm: float) -> None:
        """Keeps the gradient instead of following it."""
        for flat in state.weights.flat:
            for part, gradient in zip(flat.parts, flat.gradient_views, strict=True):
                kept[part.name] = (gradient / weight).clone()

    state.weights.step = keep  # type: ignore[method-assign]
    examples = compared(ready)
    body: Any = ready.model.body
    inner = getattr(body, "base_model", body)  # all that a language model's own head asks of its body
    inner.register_forward_hook(lambda *_: parts.append(1))
    train_settings = make_settings(batch_rows=12, epochs=1e-3, max_norm=math.inf, micro_tokens=micro_tokens)
    lesson = Lesson(ready.rows.task, examples, lambda: (0.0, 0.0))
    events = train(state, lesson, train_settings, unfreezing, cpu(), lambda: 0.0)
    losses = [event.loss for event in events if isinstance(event, Stepped)]
    return kept, losses[0], len(parts)


def test_a_step_in_micro_batches_has_the_gradient_of_the_step_whole(
    home: Home, ready: Prepared, tmp_path: Path
) -> None:
    plan = home.plan(tmp_path / "run")
    longest = int(ready.examples["train"].lengths.max())

    whole_step, loss, one = gradients(plan, 10**9)
    in_parts, same_loss, several = gradients(plan, 2 * longest)

    assert (one, several >= 3) == (1, True)
    assert same_loss == pytest.approx(loss, rel=1e-5)
    assert whole_step.keys() == in_parts.keys()
    assert max(float(gradient.norm()) for gradient in whole_step.values()) > 1e-2
    for name, gradient in whole_step.items():
        assert float((in_parts[name] - gradient).abs().max()) < 1e-5 * max(1.0, float(gradient.norm())), name


# Scored


def test_the_score_of_some_rows_is_that_of_them_alone(finished: Finished, ready: Prepared) -> None:
    folder, task = finished.folder, finished.folder.task
    if task.learning.compares_rows:
        pytest.skip("how near a row's own match is depends on which others there are")
    part = "test" if task.speaks else "train"  # to training rows nothing is written
    examples, plain = ready.examples[part], Calibration()

    def answers(rows: Ints) -> Answers:
        some = examples.select(rows)
        outputs = task.infer(folder.model.to(folder.device.torch), some, folder.device)
        found: Answers = task.answer(outputs, plain, some)
        return found

    measure = task.measure(answers(np.arange(len(examples))), examples.targets)
    drawn = np.random.default_rng(0).integers(len(examples), size=(4, len(examples) // 2))
    alone = [task.score(answers(rows), examples.targets[rows]) for rows in drawn]
    assert any(alone), "it has learnt something"
    assert [measure.of(rows) for rows in drawn] == pytest.approx(alone, abs=1e-6)


def test_outputs_and_answers_are_selected_by_row_and_outputs_come_back_from_disk(
    finished: Finished, ready: Prepared, tmp_path: Path
) -> None:
    folder, task, plain = finished.folder, finished.folder.task, Calibration()
    examples, rows = ready.examples["valid"], np.array([2, 0, 1, 2])
    model = folder.model.to(folder.device.torch)
    whole, some = (task.infer(model, of, folder.device) for of in (examples, examples.select(rows)))

    arrays, record = to_arrays({"valid": whole})
    kept = Artefacts(tmp_path)
    kept.save("scored", arrays, ScoredRecord(outputs=record))
    saved, told = present(kept.saved("scored", ScoredRecord))
    again: Outputs = task.read_outputs(arrays_of("valid", saved), told.outputs.get("valid", {}), examples)

    assert len(whole) == len(again) == len(examples)
    chosen = whole.select(rows)
    for name, array in again.select(rows).arrays().items():
        assert np.array_equal(array, chosen.arrays()[name])
        assert array == pytest.approx(some.arrays()[name], abs=1e-4)
    answers = task.answer(whole, plain, examples)
    assert len(answers) == len(examples)
    sources = [] if examples.sources is None else list(examples.sources)
    lines = task.lines(answers, sources)
    drawn = task.lines(answers.select(rows), [sources[row] for row in rows] if sources else [])
    assert drawn == [lines[row] for row in rows]


def test_answers_that_are_all_right_have_the_highest_score_and_are_compared_with_a_model_s(
    finished: Finished, ready: Prepared
) -> None:
    folder, task = finished.folder, finished.folder.task
    valid, plain = ready.examples["valid"], Calibration()
    outputs = task.infer(folder.model.to(folder.device.torch), valid, folder.device)
    answers = task.answer(outputs, plain, valid)

    flawless = task.flawless(valid.targets)

    metric = METRICS[task.metric]
    ceiling = 1.0 if metric.higher else 0.0
    assert task.score(flawless, valid.targets) == pytest.approx(ceiling, abs=1e-9)
    gap = task.difference(flawless, answers, valid.targets, 0)
    assert gap.value == pytest.approx(metric.gain(ceiling, task.score(answers, valid.targets)), abs=1e-6)


# Saved


@pytest.mark.precision
def test_a_saved_model_gives_the_same_in_its_own_library(home: Home, finished: Finished) -> None:
    folder = finished.folder
    given = home.case.given(home.data)[:16]
    if home.case.plain_logits is None:
        if home.case.plain_answers is None:
            pytest.skip("its answers are texts, which other tests compare")
        assert folder.predict(given).labels == home.case.plain_answers(folder.model_path, given)
        return

    ours = folder.logits(folder.form.given(given))

    theirs = home.case.plain_logits(folder.model_path, given)
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() < 1e-5 * max(1.0, float(np.abs(theirs).max()))
    assert ours.std(axis=0).min() > 1e-3


PIPELINES: dict[str, Callable[[Any, list[Any]], list[Any]]] = {
    "text-classification": lambda pipe, rows: [one["label"] for one in pipe(rows)],
    "pair-classification": lambda pipe, rows: [
        pipe({"text": one, "text_pair": other})["label"] for one, other in rows
    ],
    "regression": lambda pipe, rows: [pytest.approx(one["score"], abs=1e-3) for one in pipe(rows)],
    "token-classification": lambda pipe, rows: [
        {(one["start"], one["end"], one["entity_group"]) for one in pipe(" ".join(words))} for words in rows
    ],
    "image-classification": lambda pipe, rows: [pipe(str(file))[0]["label"] for file in rows],
    "embedding": lambda pipe, rows: [
        pytest.approx((mean / np.linalg.norm(mean)).tolist(), abs=1e-4)
        for mean in (np.mean(pipe(row)[0], axis=0) for row in rows)
    ],
    "chat": lambda pipe, rows: [
        pipe(row[:-1], do_sample=False)[0]["generated_text"][-1]["content"] for row in rows
    ],
    "preference": lambda pipe, rows: [
        pytest.approx(one["score"], abs=1e-3) for one in pipe(talks_of(pipe.tokenizer, rows))
    ],
}
"""By task, the answers of transformers' own pipeline."""
PIPES = {
    "preference": "text-classification",
    "pair-classification": "text-classification",
    "regression": "text-classification",
    "embedding": "feature-extraction",
    "chat": "text-generation",
}
"""Names of pipelines that are not those of the task."""


def answer_of(task: str, row: dict[str, Any]) -> Any:
    """What `predict` says of a row, as a pipeline says it."""
    if task == "token-classification":
        return {(one["start"], one["end"], one["label"]) for one in row["entities"]}
    keys = {"regression": "value", "embedding": "vector", "chat": "text", "preference": "score"}
    return row[keys.get(task, "label")]


@pytest.mark.precision
def test_a_pipeline_of_transformers_gives_luthiers_answers_or_refuses_the_folder(
    home: Home, finished: Finished
) -> None:
    from transformers import pipeline

    rows, task, path = home.case.given(home.data)[:12], home.name, finished.folder.model_path
    if task == "adaptation":
        pytest.skip("no pipeline says how likely a text is")
    more = {"aggregation_strategy": "first"} if task == "token-classification" else {}

    if home.case.plain_logits is None and home.case.plain_answers is None:
        pytest.skip("its answers are texts, which other tests compare")

    def opened() -> Any:
        with quiet():
            return pipeline(PIPES.get(task, task), str(path), device="cpu", **more)

    if task == "question-answering":
        with pytest.raises(KeyError, match="has been removed from transformers"):
            opened()
    elif finished.folder.scorecard.record["reads"] == "apart":
        with pytest.raises(ValueError, match="model type `sentence-transformers`"):
            opened()
    else:
        theirs = PIPELINES[task](opened(), rows)
        assert [answer_of(task, row) for row in finished.folder.predict(rows)] == theirs


def test_the_folder_says_how_each_library_opens_it(home: Home, finished: Finished) -> None:
    text = (finished.folder.model_path / "README.md").read_text()

    told = text[text.index("How each library opens this folder:") :]

    assert "from_pretrained(" in told or ".encode(" in told
    if home.name != "question-answering":
        assert "pipeline(" in told


def test_a_task_comes_back_from_a_saved_model_as_it_was(home: Home, finished: Finished) -> None:
    task = finished.folder.task

    assert (task.name, TASKS[home.name].restore(json.loads(json.dumps(task.to_json())))) == (home.name, task)


# Asked


def test_predict_gives_one_json_line_per_row_in_row_order_and_python_the_same(
    home: Home, finished: Finished
) -> None:
    folder = finished.folder

    ended = luthier("predict", folder.path, home.data)

    assert ended.code == 0, ended.err
    lines = [json.loads(line) for line in ended.out.splitlines()]
    given = home.case.given(home.data)
    assert [line["row"] for line in lines] == list(range(len(given)))
    assert all(folder.task.answer_key in line for line in lines)
    assert folder.predict(given).to_json() == lines
    assert folder.predict(given).labels == [line[folder.task.answer_key] for line in lines]


@pytest.mark.precision
def test_a_row_alone_is_answered_as_among_others(home: Home, finished: Finished) -> None:
    given = home.case.given(home.data)[:9]

    among = finished.folder.predict(given)

    for one, answer in zip(given[6:], among.labels[6:], strict=True):
        assert alike(finished.folder.predict([one]).labels[0], answer)
    assert len(finished.folder.predict([])) == 0


def test_what_predictions_says_of_the_test_rows_is_what_predict_says_of_them(
    home: Home, finished: Finished
) -> None:
    as_told(home, finished.folder)


def test_so_it_is_where_a_candidate_is_kept_that_was_cheaper_than_tuning(home: Home, tmp_path: Path) -> None:
    """A rate that spoils the layers: what is saved has them as they were."""
    folder = run(home.plan(tmp_path / "run", method="auto", lr=0.3, epochs=1)).folder

    chosen = folder.scorecard.record["chosen"]
    cheaper = "zero-shot" if folder.task.zero_shot else "tuned"
    assert chosen == ("probe" if folder.task.probe else cheaper)
    as_told(home, folder)


@pytest.mark.parametrize("name", ["pair-classification", "token-classification", "question-answering"])
def test_what_a_sentence_encoder_asks_of_its_texts_holds_for_whatever_class_it_is_saved_as(
    name: str, tmp_path: Path
) -> None:
    """Small letters, and, but for questions, so many tokens at the most."""
    model, case = lower_casing(tmp_path / "model", most=24), CASES[name]
    data = case.data(tmp_path)
    shouted = [
        {key: shout(value) if key != "label" else value for key, value in row.items()}
        for row in rows_of(data)
    ]
    home = Home(name, case, tmp_path, write_jsonl(data, shouted), model)

    folder = run(home.plan(tmp_path / "run", epochs=2)).folder

    as_told(home, folder)
    limit = 62 if name == "question-answering" else 24
    assert isinstance(folder.reader, Texts)
    assert (folder.reader.limit, folder.reader.tokenizer("MY ORDER")) == (
        limit,
        folder.reader.tokenizer("my order"),
    )


def shout(value: Any) -> Any:
    """The same in capitals, but for tags and numbers."""
    if isinstance(value, str):
        return value if re.fullmatch(r"O|[BI]-.*", value) else value.upper()
    if isinstance(value, list):
        return [shout(one) for one in value]
    return {key: shout(one) for key, one in value.items()} if isinstance(value, dict) else value


def as_told(home: Home, folder: ModelFolder) -> None:
    """The saved model answers as the run said of it."""
    rows = rows_of(folder.path / "predictions" / "test.jsonl")
    given = home.case.given(home.data)

    found = folder.predict([given[row["row"]] for row in rows])
    again = found.labels

    if (
        home.name == "preference"
    ):  # the model was told of answers, and is asked for one, or for a score of one
        if home.case.plain_logits is not None:
            scores = [line["score"] for line in found]
            assert scores == pytest.approx([row["rewards"]["chosen"] for row in rows], abs=1e-4)
        return
    for row, answer in zip(rows, again, strict=True):
        if row["prediction"] is None:  # of texts that are compared their nearness is told, not their vectors
            assert -1 <= row["similarity"] <= 1
            continue
        assert alike(row["prediction"], answer)


def alike(one: Any, other: Any) -> bool:
    """Whether two answers are the same, but for what another batch does to a last digit."""
    if isinstance(one, list) and one and isinstance(one[0], float):
        return bool(np.allclose(one, other, atol=1e-4))
    return bool(without_chances(one) == without_chances(other))


def without_chances(answer: Any) -> Any:
    """An answer without how sure it is, which may differ in its last digit; a number is rounded."""
    if isinstance(answer, list):
        return [{key: value for key, value in one.items() if key != "probability"} for one in answer]
    return pytest.approx(answer, abs=1e-3) if isinstance(answer, float) else answer


# With nothing but a file and a model


def test_tune_with_a_file_and_a_model_guesses_the_task(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    ended = luthier("tune", home.data, *home.words, "--model", home.model, "--epochs", 1, "--json", "--quiet")

    assert ended.code == 0, ended.err
    record = json.loads(ended.out.splitlines()[-1])
    assert record["task"] == home.name
    assert record["run"].startswith("runs/rows-")
    assert luthier("verdict", record["run"]).code in (0, 3)


# Reported


def test_a_run_leaves_a_scorecard_with_intervals_a_report_and_a_card(home: Home, finished: Finished) -> None:
    out, record = finished.folder.path, finished.folder.scorecard.record

    assert (record["task"], record["metric"] in home.case.metrics) == (home.name, True)
    assert set(record["test"]) == home.case.metrics
    for estimate in record["test"].values():
        assert estimate["low"] <= estimate["value"] <= estimate["high"]
    value = record["test"][record["metric"]]["value"]
    assert 0 < value <= (1 if METRICS[record["metric"]].higher else math.inf)
    assert sum(record["rows"].values()) == len(home.case.given(home.data))
    assert "<h1" in (out / "report.html").read_text()
    assert home.name in (out / "README.md").read_text()
    assert (out / "model" / "README.md").read_text() == (out / "README.md").read_text()


def test_its_report_is_whole_and_readable_on_every_screen_and_on_paper(
    finished: Finished, browser: Browser
) -> None:
    assert browser.faults(finished.folder.path / "report.html") == []


def test_few_rows_are_not_set_aside_to_calibrate(finished: Finished) -> None:
    record = finished.folder.scorecard.record
    part = "valid" if finished.folder.task.calibrating else ""
    assert record["rows"]["train"] < 90, "a tenth of them is fewer than nine"
    assert record["calibration"]["part"] == part
    assert record["calibration"]["rows"] == (record["rows"][part] if part else 0)
    assert record["rows"]["calibration"] == 0


def test_check_and_plan_know_the_task(home: Home) -> None:
    checked = luthier("check", home.data, *home.words, "--model", home.model, "--json", "--quiet")
    planned = luthier("plan", home.data, *home.words, "--model", home.model, "--json")

    assert checked.code == 0, checked.err
    assert json.loads(checked.out.splitlines()[-1])["task"] == home.name
    assert planned.code == 0, planned.err
    assert home.name in planned.out
