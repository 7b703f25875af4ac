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
    return chosen(scorecard, folder) if chosen else None


def for_transformers(scorecard: Record, folder: str) -> str:
    return f"""\
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("{folder}")
model = AutoModelForSequenceClassification.from_pretrained("{folder}").eval()

rows = tokenizer(["a text to be sorted"], padding=True, truncation=True, return_tensors="pt")
with torch.inference_mode():
    logits = model(**rows).logits
{probabilities(scorecard)}
labels = [model.config.id2label[number] for number in range(model.config.num_labels)]
print([dict(zip(labels, row.tolist())) for row in probabilities])
"""


def for_sentence_transformers(scorecard: Record, folder: str) -> str:
    return f"""\
import json
from pathlib import Path

from sentence_transformers import SentenceTransformer

model = SentenceTransformer("{folder}")

logits = model.encode(["a text to be sorted"], convert_to_tensor=True)  # the last module is the head
{probabilities(scorecard)}
labels = json.loads(Path("{folder}", "luthier.json").read_text("utf-8"))["labels"]
print([dict(zip(labels, row.tolist())) for row in probabilities])
"""


def probabilities(scorecard: Record) -> str:
    """The line from logits to probabilities, calibrated where a temperature was fitted."""
    temperature = number((scorecard.get("calibration") or {}).get("temperature"))
    logits = "logits" if temperature is None else f"(logits / {temperature:.6g})"
    link = "sigmoid()" if scorecard.get("multi_label") else "softmax(dim=-1)"
    note = "" if temperature is None else "  # divided by the temperature: calibrated"
    return f"probabilities = {logits}.{link}{note}"
