"""Tables of word vectors: made of an encoder once, opened, climbed and saved as any model is."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from luthier.errors import ModelError
from luthier.models.heads.head import Wanted
from luthier.models.hub.inspect import Folder, inspect_folder
from luthier.models.ladder.ladder import find_ladder
from luthier.models.load import load_model
from luthier.models.readers.texts import Texts
from luthier.models.static import making
from luthier.models.static.making import model_path, what_making_takes
from luthier.models.static.vectors import fewer_numbers, likely_frequencies, weighted
from tiny import TINY


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return TINY["sentence_bert"](tmp_path_factory.mktemp("static") / "encoder")


@pytest.fixture(scope="module")
def table(encoder: Path) -> Folder:
    return inspect_folder("table", model_path(f"static:{encoder}"))


def test_a_token_is_what_the_encoder_makes_of_it_alone_but_for_turning_and_weight(
    encoder: Path, table: Folder
) -> None:
    words = ["parcel", "refund", "lovely", "the", "guitar"]
    numbers = Texts(table).tokenizer.convert_tokens_to_ids(words)

    ours = load_file(table.path / "model.safetensors")["embedding.weight"].numpy()[numbers]

    directions = ours / np.linalg.norm(ours, axis=1, keepdims=True)
    states = Encoded(encoder).alone(numbers)
    centred = states[1] - states[0].mean(0)
    wanted = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    assert directions @ directions.T == pytest.approx(wanted @ wanted.T, abs=1e-4)


class Encoded:
    """An encoder as transformers opens it, asked for single tokens."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoModel, AutoTokenizer

        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModel.from_pretrained(folder).eval()

    def alone(self, numbers: list[int]) -> tuple[np.ndarray, np.ndarray]:
        """The mean state of [CLS] token [SEP], of all tokens and of some."""
        known = range(len(self.tokenizer))
        ids = torch.tensor([[self.tokenizer.cls_token_id, one, self.tokenizer.sep_token_id] for one in known])
        with torch.inference_mode():
            states = self.model(input_ids=ids).last_hidden_state.mean(1).numpy()
        return states, states[numbers]


def test_components_are_those_of_the_singular_values_and_keep_their_sign() -> None:
    vectors = torch.randn(200, 12, generator=torch.Generator().manual_seed(0))

    found = fewer_numbers(vectors, 5).double()

    centred = (vectors - vectors.mean(0)).double()
    values = torch.linalg.svd(centred).S[:5]
    assert found.norm(dim=0).tolist() == pytest.approx(values.tolist(), rel=1e-4)
    assert torch.equal(fewer_numbers(vectors, 5), fewer_numbers(vectors.clone(), 5))


def test_frequent_tokens_are_short() -> None:
    assert float(likely_frequencies(1000).sum()) == pytest.approx(1.0)

    lengths = weighted(torch.ones(1000, 4)).norm(dim=1)

    assert (lengths.diff() > 0).all()


def test_a_table_is_made_once(encoder: Path, table: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "write_table", None)

    assert model_path(f"static:{encoder}") == table.path
    assert what_making_takes(f"static:{encoder}") is None


def test_a_damaged_table_is_made_again(tmp_path: Path) -> None:
    encoder = TINY["bert"](tmp_path / "encoder")
    place = model_path(f"static:{encoder}")
    before = (place / "model.safetensors").read_bytes()
    (place / "model.safetensors").write_bytes(before[:-4] + b"\0\0\0\0")

    assert (model_path(f"static:{encoder}") / "model.safetensors").read_bytes() == before


def test_its_rungs_are_the_table_and_the_head(table: Folder) -> None:
    model = load_model(table, Wanted(outputs=3))
    reader = Texts(table)
    batch = reader.examples(["my parcel is late"], np.zeros(1, np.int64))[0].batch(np.zeros(1, np.int64))

    ladder = find_ladder(model, lambda: model(batch))

    assert [(rung.name, rung.parameters) for rung in ladder.rungs] == [
        ("embeddings", ("body.embedding.weight",)),
        ("head", ("head.1.weight", "head.1.bias")),
    ]
    assert ladder.note is None


def test_a_text_is_the_mean_of_its_tokens_in_whichever_order_and_no_special_token_is_read(
    table: Folder,
) -> None:
    model, reader = load_model(table, Wanted(outputs=3)), Texts(table)

    def features(*texts: str) -> torch.Tensor:
        rows = np.arange(len(texts))
        with torch.inference_mode():
            return model.features(reader.examples(list(texts), rows)[0].batch(rows))

    one, other, longer = features("my order", "order my", "my order and my parcel with the guitar")

    vectors = load_file(table.path / "model.safetensors")["embedding.weight"]
    numbers = reader.tokenizer.convert_tokens_to_ids(["my", "order"])
    assert torch.allclose(one, vectors[numbers].mean(0), atol=1e-6)
    assert torch.allclose(one, other, atol=1e-6)
    assert not torch.allclose(one, longer)


@pytest.mark.parametrize("head", ["tags", "spans", "language"])
def test_a_table_answers_for_whole_texts_alone(table: Folder, head: str) -> None:
    with pytest.raises(ModelError) as error:
        load_model(table, Wanted(outputs=2, head=head))

    assert "Name a" in str(error.value)


def test_a_table_of_nothing_is_refused() -> None:
    with pytest.raises(ModelError) as error:
        model_path("static:")

    assert str(error.value) == (
        "model.name: 'static:' does not say of what the table of word vectors is to be made. Name an encoder behind the colon: "
        "--model static:all-MiniLM-L6-v2"
    )


def test_a_table_of_a_table_is_refused(table: Folder) -> None:
    with pytest.raises(ModelError) as error:
        model_path(f"static:{table.path}")

    assert str(error.value) == (
        f"static:{table.path}: {table.path} is a table of word vectors already. Name it alone: --model {table.path}"
    )


def test_another_form_of_table_is_refused(table: Folder, tmp_path: Path) -> None:
    """Model2Vec's own files hold weights and a mapping beside the vectors."""
    folder = tmp_path / "other"
    folder.mkdir()
    for name in ("tokenizer.json", "modules.json"):
        (folder / name).write_bytes((table.path / name).read_bytes())
    save_file({"embeddings": torch.zeros(4, 2), "weights": torch.ones(4)}, folder / "model.safetensors")

    with pytest.raises(ModelError) as error:
        inspect_folder("other", folder)

    assert str(error.value) == (
        f"{folder / 'model.safetensors'}: holds 'embeddings', 'weights'. Expected one table, embedding.weight, which is all that "
        "luthier knows of a StaticEmbedding. Open the model in sentence-transformers once and save it again, with "
        "save_pretrained."
    )


def test_modules_of_both_kinds_are_refused(table: Folder, tmp_path: Path) -> None:
    folder = tmp_path / "both"
    folder.mkdir()
    kinds = ["StaticEmbedding", "Transformer"]
    modules = [{"path": "", "type": f"sentence_transformers.models.{kind}"} for kind in kinds]
    (folder / "modules.json").write_text(json.dumps(modules))

    with pytest.raises(ModelError, match="its modules come in the order"):
        inspect_folder("both", folder)
