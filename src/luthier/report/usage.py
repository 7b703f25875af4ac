"""Code that loads the tuned model, with luthier and without it: for the report and for the model card."""

from luthier.report.numbers import number
from luthier.report.records import Record


def with_luthier(folder: str) -> str:
    return f"""\
import luthier

model = luthier.load("{folder}")
model.predict(["a text to be sorted"])
"""


def without_luthier(scorecard: Record, folder: str) -> str | None:
    """Probabilities from the library that the model was saved for; None when that is not known."""
    write = {"transformers": for_transformers, "sentence-transformers": for_sentence_transformers}
    chosen = write.get(str(scorecard.get("model_format")))
    return chosen(folder, probabilities(scorecard)) if chosen else None


def for_transformers(folder: str, calibrated: str) -> str:
    return f"""\
import json
from pathlib import Path

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

folder = "{folder}"
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
beside = json.loads(Path(folder, "luthier.json").read_text("utf-8"))

rows = tokenizer(["a text to be sorted"], padding=True, truncation=True, return_tensors="pt")
with torch.inference_mode():
    logits = model(**rows).logits
{calibrated}
print([dict(zip(beside["task"]["labels"], row.tolist())) for row in probabilities])
"""


def for_sentence_transformers(folder: str, calibrated: str) -> str:
    return f"""\
import json
from pathlib import Path

import torch
from sentence_transformers import SentenceTransformer

folder = "{folder}"
model = SentenceTransformer(folder)
beside = json.loads(Path(folder, "luthier.json").read_text("utf-8"))

logits = torch.from_numpy(model.encode(["a text to be sorted"]))  # the last module is the head
{calibrated}
print([dict(zip(beside["task"]["labels"], row.tolist())) for row in probabilities])
"""


def probabilities(scorecard: Record) -> str:
    """The lines from logits to calibrated probabilities."""
    if scorecard.get("multi_label"):
        return """\
scale, bias = (torch.tensor(beside["calibration"][name]) for name in ("scale", "bias"))
if len(scale):  # calibrated: a line per label
    logits = logits * scale + bias
probabilities = logits.sigmoid()"""
    temperature = number((scorecard.get("calibration") or {}).get("temperature"))
    if temperature is None or temperature == 1:
        return "probabilities = logits.softmax(dim=-1)"
    return f"probabilities = (logits / {temperature:.6g}).softmax(dim=-1)  # calibrated by the temperature"
