"""Code that loads the tuned model, with luthier and without it: for the report and for the model card."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from luthier.folder.scorecard_records import ScorecardRecord
from luthier.report.numbers import number

GIVEN = {
    "token-classification": '["a text to look through"]',
    "question-answering": '[("a question?", "The text that may answer it.")]',
    "image-classification": '["photo.jpg"]',
    "embedding": '["a text to be placed"]',
    "chat": '[[{"role": "user", "content": "a question?"}]]',
    "preference": '[[{"role": "user", "content": "a question?"}]]',
    "adaptation": '["a text to be read"]',
}
"""An example of what `predict` takes, by task."""


def with_luthier(folder: str, scorecard: ScorecardRecord) -> str:
    rows = GIVEN.get(scorecard.task or "", '["a text to be sorted"]')
    if reads_pairs(scorecard):
        rows = '[("one text", "another text")]'
    return f"""\
import luthier

model = luthier.load("{folder}")
model.predict({rows})
"""


def talks(scorecard: ScorecardRecord) -> bool:
    """Whether the model writes texts, so that one can talk to it."""
    return scorecard.task in WRITING and scorecard.speaks is not False and adapted(scorecard) is None


def adapted(scorecard: ScorecardRecord) -> "Adapted | None":
    """The libraries' ways to a model that learnt to read texts or images and writes none; None where it is no such model."""
    return ADAPTED.get((scorecard.task or "", scorecard.reads or ""))


def rows_of(scorecard: ScorecardRecord) -> str:
    """The name of a file of rows to answer."""
    return "rows.jsonl" if talks(scorecard) else "rows.csv"


def reads_pairs(scorecard: ScorecardRecord) -> bool:
    """Whether a row is two texts with one answer. Scorecards of older versions do not say so."""
    return (scorecard.reads or scorecard.task) in ("pair", "apart", "pair-classification")


def without_luthier(scorecard: ScorecardRecord, folder: str) -> str | None:
    """The model's own answers from the library that it was saved for; None when that is not known."""
    task = scorecard.task or ""
    if task in PIPELINES:
        return f"""\
from transformers import pipeline

{PIPELINES[task].format(folder=folder)}
"""
    own = adapted(scorecard)
    if own is not None:
        return own.code.format(folder=folder)
    if task in WRITING:
        return (WRITING[task] if talks(scorecard) else for_rewards)(folder, scorecard.system)
    if task == "embedding":
        return f'''\
from sentence_transformers import SentenceTransformer

print(SentenceTransformer("{folder}").encode(["a text to be placed"]))
'''
    if task == "question-answering":
        return for_questions(folder)
    if scorecard.reads == "apart":
        return for_cosines(folder)
    write = {"transformers": for_transformers, "sentence-transformers": for_sentence_transformers}
    chosen = write.get(scorecard.model_format or "")
    if chosen is None:
        return None
    texts = '["a text to be sorted"]'
    if reads_pairs(scorecard):
        pooled = chosen is for_sentence_transformers
        texts = '[("one text", "another text")]' if pooled else '["one text"], ["another text"]'
    return chosen(folder, texts, ending(scorecard))


def for_turns(folder: str, system: str | None) -> str:
    """An answer to a conversation: how it ends and how long it may be is said by the folder's generation_config.json. Of the
    tokens that steer a model only the end is left out: some models mark calls of tools with others."""
    first = "" if system is None else f"    {turn('system', system)},\n"
    return f"""\
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

folder = "{folder}"
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForCausalLM.from_pretrained(folder).eval()

turns = [
{first}    {turn("user", "a question?")},
]
prompt = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=True, return_tensors="pt")
written = model.generate(**prompt)[0, prompt["input_ids"].shape[1] :]
ends = torch.tensor(model.generation_config.eos_token_id)
print(tokenizer.decode(written[~torch.isin(written, ends)]))
"""


def for_rewards(folder: str, system: str | None) -> str:
    """The reward of an answer to a conversation."""
    first = "" if system is None else f"    {turn('system', system)},\n"
    return f"""\
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

folder = "{folder}"
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForSequenceClassification.from_pretrained(folder).eval()

turns = [
{first}    {turn("user", "a question?")},
    {turn("assistant", "an answer")},
]
row = tokenizer.apply_chat_template(turns, return_dict=True, return_tensors="pt")
with torch.inference_mode():
    print(float(model(**row).logits))
"""


def turn(role: str, content: str) -> str:
    """A turn as Python and JSON both write it."""
    return json.dumps({"role": role, "content": content}, ensure_ascii=False)


def for_beginnings(folder: str, system: str | None) -> str:
    """How a text goes on. system: a text has no turns."""
    return f"""\
from transformers import AutoModelForCausalLM, AutoTokenizer

folder = "{folder}"
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForCausalLM.from_pretrained(folder).eval()

beginning = tokenizer("The beginning of a text", return_tensors="pt", return_token_type_ids=False)
print(tokenizer.decode(model.generate(**beginning, max_new_tokens=50)[0], skip_special_tokens=True))
"""


WRITING: dict[str, Callable[[str, str | None], str]] = {
    "chat": for_turns,
    "preference": for_turns,
    "adaptation": for_beginnings,
}
"""By task the code of a model that writes texts, of its folder and of what it is told first."""


@dataclass(frozen=True)
class Adapted:
    """How the library that a model was saved for opens it."""

    code: str
    """A few lines, with {folder} for the folder."""
    openers: tuple[tuple[str, str], ...]
    """Calls, with {folder}, and what each gives."""


ADAPTED = {
    ("adaptation", "masked"): Adapted(
        'from transformers import pipeline\n\nfind = pipeline("fill-mask", "{folder}")\n'
        'print(find(f"a text with a {{find.tokenizer.mask_token}} word"))\n',
        (
            ('AutoModelForMaskedLM.from_pretrained("{folder}")', "the logits of hidden words."),
            ('AutoModel.from_pretrained("{folder}")', "the states of the tokens."),
        ),
    ),
    ("adaptation", "views"): Adapted(
        'from sentence_transformers import SentenceTransformer\n\n'
        'print(SentenceTransformer("{folder}").encode(["a text to be placed"]))\n',
        (('SentenceTransformer("{folder}").encode(texts)', "the vectors."),),
    ),
    ("adaptation", "image"): Adapted(
        'from transformers import pipeline\n\n'
        'find = pipeline("image-feature-extraction", "{folder}", pool=True)\nprint(find("photo.jpg"))\n',
        (
            ('AutoModel.from_pretrained("{folder}")', "the features."),
            ('AutoModelForImageClassification.from_pretrained("{folder}")', "the logits of the last layer that it came with, "
             "which has not learnt along."),
        ),
    ),
}  # fmt: skip
"""By task and by what a row is made of."""

PIPELINES = {
    "token-classification": 'find = pipeline("token-classification", "{folder}", aggregation_strategy="simple")\n'
    'print(find("a text to look through"))',
    "image-classification": 'name = pipeline("image-classification", "{folder}")\nprint(name("photo.jpg"))',
}
"""Two lines of code with the pipeline of transformers for a task, where there is one."""


OWN_CLASSES = {
    "token-classification": "AutoModelForTokenClassification",
    "question-answering": "AutoModelForQuestionAnswering",
    "image-classification": "AutoModelForImageClassification",
}
"""The class of transformers that opens a model, by task; all other tasks have the class for sequences."""


def openers(scorecard: ScorecardRecord, folder: str) -> list[tuple[str, str]]:
    """How each library opens the folder, and what it gives there. A call that is not listed may put a random head on the body."""
    task, pooled = scorecard.task or "", scorecard.model_format == "sentence-transformers"
    encode = f'SentenceTransformer("{folder}").encode(texts)'
    own = adapted(scorecard)
    if own is not None:
        return [(call.format(folder=folder), gives) for call, gives in own.openers]
    if task == "embedding":
        return [
            (encode, "the vectors."),
            (f'pipeline("feature-extraction", "{folder}")', "the states of the tokens, not pooled yet."),
        ]
    if pooled:
        apart = scorecard.reads == "apart"
        return [
            (encode, "the vectors; the number is a line through their cosine." if apart else "the logits."),
            (f'pipeline("text-classification", "{folder}")', "refused, as by every class of transformers: none of them pools as "
             "this model does, and the head would be a random one."),
            (f'SentenceTransformer("{folder}")[0]', "the word vectors without the head.") if scorecard.word_vectors else
            (f'AutoModel.from_pretrained("{folder}/0_Transformer")', "the body without the head."),
        ]  # fmt: skip
    if talks(scorecard):
        return [
            (f'AutoModelForCausalLM.from_pretrained("{folder}")', "the logits of the next token, and `generate`."),
            (f'pipeline("text-generation", "{folder}")', "what it writes; give it `do_sample=False`, else it draws its tokens."),
        ]  # fmt: skip
    opened = OWN_CLASSES.get(task, "AutoModelForSequenceClassification")
    found = [(f'{opened}.from_pretrained("{folder}")', "the logits.")]
    if task == "question-answering":
        return found  # transformers has given up its pipeline for them
    name = task if task in PIPELINES else "text-classification"
    given = 'a pair as `{"text": ..., "text_pair": ...}`; ' if reads_pairs(scorecard) else ""
    gives = (
        "the number as its `score`."
        if task == "regression"
        else "the labels, with scores that are not calibrated."
    )
    return [*found, (f'pipeline("{name}", "{folder}")', given + gives)]


def for_transformers(folder: str, texts: str, end: str) -> str:
    return f"""\
import json
from pathlib import Path

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

folder = "{folder}"
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
beside = json.loads(Path(folder, "luthier.json").read_text("utf-8"))

rows = tokenizer({texts}, padding=True, truncation=True, return_tensors="pt")
with torch.inference_mode():
    logits = model(**rows).logits
{end}
"""


def for_questions(folder: str) -> str:
    return f"""\
import torch
from transformers import AutoModelForQuestionAnswering, AutoTokenizer

folder = "{folder}"
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForQuestionAnswering.from_pretrained(folder).eval()

row = tokenizer("a question?", "The text that may answer it.", truncation="only_second", return_tensors="pt")
with torch.inference_mode():
    out = model(**row)
begin, end = int(out.start_logits.argmax()), int(out.end_logits.argmax())
print(tokenizer.decode(row["input_ids"][0][begin : end + 1]))  # the first token alone: no answer
"""


def for_sentence_transformers(folder: str, texts: str, end: str) -> str:
    return f"""\
import json
from pathlib import Path

import torch
from sentence_transformers import SentenceTransformer

folder = "{folder}"
model = SentenceTransformer(folder)
beside = json.loads(Path(folder, "luthier.json").read_text("utf-8"))

logits = torch.from_numpy(model.encode({texts}))  # the last module is the head
{end}
"""


def for_cosines(folder: str) -> str:
    return f"""\
import json
from pathlib import Path

from sentence_transformers import SentenceTransformer

folder = "{folder}"
model = SentenceTransformer(folder)
line = json.loads(Path(folder, "luthier.json").read_text("utf-8"))["task"]

one, other = model.encode(["one text"]), model.encode(["another text"])
cosines = model.similarity_pairwise(one, other)
print((line["mean"] + line["spread"] * cosines).tolist())  # in the units of the column that was learnt
"""


def ending(scorecard: ScorecardRecord) -> str:
    """The lines from logits to what is wanted of them."""
    if scorecard.task == "regression":
        return "print(logits[:, 0].tolist())  # in the units of the column that was learnt"
    shown = 'print([dict(zip(beside["task"]["labels"], row.tolist())) for row in probabilities])'
    return f"{probabilities(scorecard)}\n{shown}"


def probabilities(scorecard: ScorecardRecord) -> str:
    """The lines from logits to calibrated probabilities."""
    if scorecard.multi_label:
        return """\
scale, bias = (torch.tensor(beside["calibration"][name]) for name in ("scale", "bias"))
if len(scale):  # calibrated: a line per label
    logits = logits * scale + bias
probabilities = logits.sigmoid()"""
    temperature = number(scorecard.calibration.temperature if scorecard.calibration else None)
    if temperature is None or temperature == 1:
        return "probabilities = logits.softmax(dim=-1)"
    return f"probabilities = (logits / {temperature:.6g}).softmax(dim=-1)  # calibrated by the temperature"
