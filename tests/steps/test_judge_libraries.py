"""Models that other libraries tuned: the right task and labels, and the numbers that these libraries count themselves."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score
from torch import nn

from judgements import judged, lines, refused
from luthier.models.quiet import quiet
from tiny import likened_jsonl, messages, messages_csv, queries_jsonl
from tiny_llamas import byte_level, llama
from tuned_elsewhere import rows_model

LABELS = ("praise", "refund", "broken", "delivery")


def test_a_model_of_transformers_trainer_has_the_scores_that_the_trainer_counts(tmp_path: Path) -> None:
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
    )

    folder, out = rows_model(tmp_path / "start", LABELS), tmp_path / "tuned"
    tokenizer = AutoTokenizer.from_pretrained(folder)

    def rows_of(seed: int, count: int) -> list[dict[str, Any]]:
        return [
            {**tokenizer(text, truncation=True), "labels": LABELS.index(label)}
            for text, label in messages(count, seed)
        ]

    def scores(given: Any) -> dict[str, float]:
        chosen = given.predictions.argmax(-1)
        return {"accuracy": float((chosen == given.label_ids).mean()),
                "macro_f1": float(f1_score(given.label_ids, chosen, average="macro"))}  # fmt: skip

    with quiet(), torch.random.fork_rng():
        trainer = Trainer(
            model=AutoModelForSequenceClassification.from_pretrained(folder),
            args=TrainingArguments(
                str(tmp_path / "trainer"), max_steps=6, learning_rate=3e-3, report_to=[], disable_tqdm=True,
                use_cpu=True, save_strategy="no", logging_strategy="no",
            ),
            train_dataset=rows_of(1, 48),
            data_collator=DataCollatorWithPadding(tokenizer),
            processing_class=tokenizer,
            compute_metrics=scores,
        )  # fmt: skip
        trainer.train()
        expected = trainer.evaluate(rows_of(0, 40))
        trainer.save_model(str(out))

    found = judged(out, messages_csv(tmp_path / "rows.csv", 40), tmp_path / "verdict")

    assert (found["task"], found["labels"]) == ("text-classification", list(LABELS))
    assert found["test"]["accuracy"]["value"] == pytest.approx(expected["eval_accuracy"], abs=1e-9)
    assert found["test"]["macro_f1"]["value"] == pytest.approx(expected["eval_macro_f1"], abs=1e-9)
    assert found["test"]["log_loss"]["value"] == pytest.approx(expected["eval_loss"], abs=1e-5)


def test_a_model_of_sentence_transformers_has_the_correlation_that_its_evaluator_counts(
    sentence_bert: Path, tmp_path: Path
) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.evaluation import EmbeddingSimilarityEvaluator

    data = likened_jsonl(tmp_path / "pairs.jsonl", 40)
    rows = [json.loads(line) for line in data.read_text().splitlines()]
    with quiet():
        model = SentenceTransformer(str(sentence_bert), device="cpu")
        model.save_pretrained(str(tmp_path / "saved"))
        evaluator = EmbeddingSimilarityEvaluator(
            [row["sentence1"] for row in rows],
            [row["sentence2"] for row in rows],
            [row["score"] for row in rows],
        )
        expected = evaluator(model)

    found = judged(tmp_path / "saved", data, tmp_path / "verdict")

    assert found["task"] == "embedding"
    assert found["test"]["spearman"]["value"] == pytest.approx(expected["spearman_cosine"], abs=1e-4)
    assert found["test"]["pearson"]["value"] == pytest.approx(expected["pearson_cosine"], abs=1e-4)
    assert found["verdict"]["ship"] is False
    assert "--base MODEL names the model that it was made of" in found["verdict"]["words"]


def test_a_cross_encoder_gives_the_numbers_that_it_predicts(tmp_path: Path) -> None:
    from sentence_transformers import CrossEncoder

    data = likened_jsonl(tmp_path / "pairs.jsonl", 20)
    rows = [json.loads(line) for line in data.read_text().splitlines()]
    with quiet():
        model = CrossEncoder(str(rows_model(tmp_path / "start", ("LABEL_0",))), device="cpu")
        model.save_pretrained(str(tmp_path / "saved"))
        expected = model.predict([(row["sentence1"], row["sentence2"]) for row in rows])

    found = judged(tmp_path / "saved", data, tmp_path / "verdict")

    assert found["task"] == "regression"
    np.testing.assert_allclose(
        [line["prediction"] for line in lines(tmp_path / "verdict")], expected, atol=1e-5
    )


def test_vectors_are_compared_with_those_of_the_model_that_they_were_tuned_from(
    sentence_bert: Path, with_dense: Path, tmp_path: Path
) -> None:
    found = judged(
        with_dense, queries_jsonl(tmp_path / "queries.jsonl", 30), tmp_path / "v", "--base", sentence_bert
    )

    assert [one["name"] for one in found["candidates"]] == ["zero-shot", "tuned"]
    assert found["metric"] == "mrr"


@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_an_adapter_of_peft_has_the_probabilities_that_peft_gives(
    kind: str, roberta: Path, tmp_path: Path
) -> None:
    from peft import PeftModel
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    base = roberta if kind == "roberta" else rows_model(tmp_path / "base", LABELS)
    adapter = adapter_of(base, tmp_path / "adapter")
    with quiet(), torch.no_grad():
        again = AutoModelForSequenceClassification.from_pretrained(base, num_labels=4)
        model = PeftModel.from_pretrained(again, str(adapter)).eval()
        tokenizer = AutoTokenizer.from_pretrained(base)
        texts = [text for text, _ in messages(24)]
        logits = [model(**tokenizer(text, return_tensors="pt")).logits[0] for text in texts]
    expected = torch.stack(logits).softmax(-1).numpy()
    named = () if kind == "bert" else ("--label-names", ",".join(LABELS))

    found = judged(adapter, messages_csv(tmp_path / "rows.csv", 24), tmp_path / "out", "--base", base, *named)

    given = [[line["probabilities"][label] for label in LABELS] for line in lines(tmp_path / "out")]
    np.testing.assert_allclose(given, expected, atol=2e-5)
    assert found["task"] == "text-classification"


@pytest.mark.parametrize("adapted", [False, True])
def test_a_decoder_that_answers_from_its_last_token_gives_what_transformers_and_peft_give(
    adapted: bool, tmp_path: Path
) -> None:
    from peft import LoraConfig, PeftModel, get_peft_model
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    base, folder, tokenizer = tmp_path / "llama", tmp_path / "tuned", byte_level()
    tokenizer.pad_token = "<|endoftext|>"
    llama(base, tokenizer, initializer_range=0.1)
    tokenizer.save_pretrained(base)
    with quiet(), torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(3)
        whole = AutoModelForSequenceClassification.from_pretrained(
            base, num_labels=4, id2label=dict(enumerate(LABELS))
        )
        if adapted:
            tuned = get_peft_model(
                whole, LoraConfig(r=2, target_modules=["q_proj", "v_proj"], task_type="SEQ_CLS")
            )
            for name, weight in tuned.named_parameters():
                if "lora_" in name or "modules_to_save" in name:
                    nn.init.normal_(weight, std=0.3)
            tuned.save_pretrained(str(folder))
            again = AutoModelForSequenceClassification.from_pretrained(base, num_labels=4)
            model: Any = PeftModel.from_pretrained(again, str(folder)).eval()
        else:
            whole.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
            model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
        reader = AutoTokenizer.from_pretrained(base)
        logits = [model(**reader(text, return_tensors="pt")).logits[0] for text, _ in messages(20)]
    more = ("--base", base, "--label-names", ",".join(LABELS)) if adapted else ()

    found = judged(folder, messages_csv(tmp_path / "rows.csv", 20), tmp_path / "out", *more)

    given = [[line["probabilities"][label] for label in LABELS] for line in lines(tmp_path / "out")]
    np.testing.assert_allclose(given, torch.stack(logits).softmax(-1).numpy(), atol=5e-5)
    assert found["task"] == "text-classification"


def test_an_adapter_needs_its_base_and_all_that_lies_between_the_two(bert: Path, tmp_path: Path) -> None:
    adapter, data = adapter_of(bert, tmp_path / "adapter"), messages_csv(tmp_path / "rows.csv", 24)

    assert refused(adapter, data).endswith("Name that model with --base.")
    assert "bert.pooler.dense.weight" in refused(
        adapter, data, "--base", bert, "--label-names", ",".join(LABELS)
    )


def adapter_of(base: Path, folder: Path) -> Path:
    """An adapter with a head of its own, as PEFT writes it, of random weights."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForSequenceClassification

    with quiet(), torch.random.fork_rng():
        torch.manual_seed(3)
        whole = AutoModelForSequenceClassification.from_pretrained(base, num_labels=4)
        plain = LoraConfig(r=3, lora_alpha=6, target_modules=["query", "value"], task_type="SEQ_CLS")
        tuned = get_peft_model(whole, plain)
        for name, weight in tuned.named_parameters():
            if "lora_" in name or "modules_to_save" in name:
                nn.init.normal_(weight, std=0.3)
        tuned.save_pretrained(str(folder))
    return folder
