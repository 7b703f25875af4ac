"""What is special to images: frozen norms folded into convolutions, the processor's own pixels, variation, broken files."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn

from luthier.batches import image_examples as pictures
from luthier.batches.augment import Augment
from luthier.batches.examples import Variation
from luthier.batches.image_examples import ImageExamples
from luthier.data.images.picture import FilePicture
from luthier.errors import DataError, ModelError, PlanError
from luthier.events import result_of
from luthier.folder.model_folder import ModelFolder
from luthier.forms import FORMS
from luthier.models.heads.image_model import ImageModel
from luthier.models.hub.inspect import PROCESSOR, inspect_folder
from luthier.models.kernels.convolutions import Folded, StridedDepthwise, fold_norms
from luthier.models.quiet import quiet
from luthier.models.readers.images import ImageReader, Preparation, preparation_of
from luthier.plan.plan import Plan
from luthier.prepare.idle_settings import refuse_what_has_no_effect
from luthier.prepare.prepare import prepare
from luthier.prepare.rows import look_over, understand
from luthier.report.records import AUGMENTED
from luthier.steps import tune
from luthier.tasks.classification.task import Classification
from luthier.tasks.embedding.task import Embedding
from luthier.tasks.question_answering.task import QuestionAnswering
from luthier.tasks.regression import Regression
from luthier.tasks.task import Task
from luthier.tasks.token_classification.task import TokenClassification
from present import present
from tiny import TINY_IMAGES, images_folder, write_jsonl


def plan_for(data: Path, model: Path | str = "none", **settings: Any) -> Plan:
    return Plan.build({"data.path": str(data), "model.name": str(model), **settings})


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    """An image of soft spots, so that a resize has something to do."""
    drawn = np.random.default_rng(seed).integers(0, 256, (height // 4 + 1, width // 4 + 1, 3), np.uint8)
    return Image.fromarray(drawn).resize((width, height), Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a tiny model of images by its name, made when it is first asked for."""
    home, made = tmp_path_factory.mktemp("models"), {}

    def folder(name: str) -> Path:
        if name not in made:
            made[name] = TINY_IMAGES[name](home / name)
        return made[name]

    return folder


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return images_folder(tmp_path_factory.mktemp("data") / "photos", 60)


# Batch norms folded into convolutions


def seen_noise(model: nn.Module, shape: tuple[int, ...]) -> nn.Module:
    """Frozen batch norms whose statistics, weights and biases are not what they begin with."""
    torch.manual_seed(1)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
            if module.affine:
                nn.init.normal_(module.weight, 1.0, 0.3)
                nn.init.normal_(module.bias, 0.0, 0.3)
    for _ in range(3):
        model(torch.randn(shape))
    return model.eval()


def depthwise(side: int, kernel: int = 3, bias: bool = False, **norm: Any) -> nn.Sequential:
    """Convolution, norm, ReLU6; depthwise with stride 2, norm, ReLU6; pointwise, norm."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=bias), nn.BatchNorm2d(8, **norm), nn.ReLU6(),
        nn.Conv2d(8, 8, kernel, stride=2, padding=kernel // 2, groups=8, bias=bias), nn.BatchNorm2d(8, **norm), nn.ReLU6(),
        nn.Conv2d(8, 4, 1, bias=bias), nn.BatchNorm2d(4, **norm),
    )  # fmt: skip


def all_gradients(model: nn.Module, images: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """Output, and the gradients of all weights and of the images."""
    images = images.clone().requires_grad_()
    model.zero_grad()
    output = model(images)
    (output * torch.linspace(-1, 1, output.numel()).view_as(output)).sum().backward()
    leaves = {**dict(model.named_parameters()), "images": images}
    return output.detach(), {
        name: leaf.grad.clone() for name, leaf in leaves.items() if leaf.grad is not None
    }


@pytest.mark.parametrize("side", [16, 17])
@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("affine", [True, False])
def test_folding_changes_no_output_and_no_gradient(side: int, kernel: int, bias: bool, affine: bool) -> None:
    plain = seen_noise(depthwise(side, kernel, bias, affine=affine), (8, 3, side, side))
    folded, images = copy.deepcopy(plain), torch.randn(2, 3, side, side)

    count = fold_norms(folded, lambda: folded(torch.linspace(-1, 1, 3 * side**2).view(1, 3, side, side)))

    expected, found = all_gradients(plain, images), all_gradients(folded, images)
    assert count == 3
    assert (expected[0] - found[0]).abs().max() < 1e-5 * expected[0].abs().max()
    assert expected[1].keys() == found[1].keys()
    for name, gradient in expected[1].items():
        assert (found[1][name] - gradient).abs().max() < 1e-5 * max(1.0, float(gradient.abs().max())), name


@pytest.mark.parametrize("name", ["mobilenet_v2", "resnet"])
def test_folding_a_whole_model_changes_no_output_and_no_gradient(
    name: str, models: Callable[[str], Path]
) -> None:
    with quiet():
        plain = transformers.AutoModelForImageClassification.from_pretrained(models(name)).eval()
    folded, images = copy.deepcopy(plain), torch.randn(3, 3, 32, 32)
    weights = list(plain.state_dict())

    count = fold_norms(folded, lambda: folded(pixel_values=images[:1]))

    expected, found = (all_gradients(Logits(model), images) for model in (plain, folded))
    norms = sum(isinstance(module, nn.BatchNorm2d) for module in plain.modules())
    assert count == norms > 5
    assert list(folded.state_dict()) == weights
    assert (expected[0] - found[0]).abs().max() < 1e-5 * max(1.0, float(expected[0].abs().max()))
    for key, gradient in expected[1].items():
        assert (found[1][key] - gradient).abs().max() < 1e-4 * max(1.0, float(gradient.abs().max())), key


class Logits(nn.Module):
    """A model of transformers as a function of its pixels."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.model(pixel_values=images).logits
        return logits


def test_a_folded_norm_that_is_live_again_works_as_if_it_never_was_folded() -> None:
    plain = seen_noise(depthwise(16), (8, 3, 16, 16))
    folded, images = copy.deepcopy(plain), torch.randn(6, 3, 16, 16)
    fold_norms(folded, lambda: folded(images[:1]))

    expected, found = plain.train()(images), folded.train()(images)

    assert torch.allclose(expected, found, atol=1e-5)
    for name, value in plain.state_dict().items():
        assert torch.allclose(folded.state_dict()[name].float(), value.float(), atol=1e-5), name
    assert torch.allclose(plain.eval()(images), folded.eval()(images), atol=1e-5)


def test_a_step_of_training_moves_folded_weights_as_plain_ones() -> None:
    plain = seen_noise(depthwise(16), (8, 3, 16, 16))
    folded, images = copy.deepcopy(plain), torch.randn(4, 3, 16, 16)
    fold_norms(folded, lambda: folded(images[:1]))

    for model in (plain, folded):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
        for _ in range(3):
            optimizer.zero_grad()
            model(images).square().mean().backward()
            optimizer.step()

    for name, value in plain.state_dict().items():
        assert torch.allclose(folded.state_dict()[name].float(), value.float(), atol=1e-5), name


class Skipping(nn.Module):
    """What the convolution gives is read by its norm, and by a sum."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)

    def forward(self, images: Tensor) -> Tensor:
        found: Tensor = self.conv(images)
        normed: Tensor = self.norm(found)
        return normed + found


class Apart(nn.Module):
    """A norm that reads no convolution, and a convolution that no norm reads."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.conv = nn.BatchNorm2d(3), nn.Conv2d(3, 3, 3)

    def forward(self, images: Tensor) -> Tensor:
        found: Tensor = self.conv(self.norm(images))
        return found


@pytest.mark.parametrize("kind", [Apart, Skipping])
def test_what_is_no_convolution_with_a_norm_of_its_own_is_left_alone(
    kind: type[Apart] | type[Skipping],
) -> None:
    plain = seen_noise(kind(), (8, 3, 9, 9))
    folded, images = copy.deepcopy(plain), torch.randn(2, 3, 9, 9)

    count = fold_norms(folded, lambda: folded(images[:1]))

    assert count == 0
    assert torch.allclose(plain(images), folded(images), atol=1e-6)


def test_a_norm_that_keeps_no_statistics_is_left_alone() -> None:
    plain = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False)).eval()
    folded, images = copy.deepcopy(plain), torch.randn(2, 3, 9, 9)

    fold_norms(folded, lambda: folded(images))

    assert torch.allclose(plain(images), folded(images), atol=1e-6)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("kernel", "padding"), [(1, 0), (3, 0), (3, 1), (5, 2), (5, 1)])
@pytest.mark.parametrize(("high", "wide"), [(8, 8), (9, 9), (8, 11)])
def test_the_gradient_of_a_strided_depthwise_convolution_is_autograds(
    bias: bool, kernel: int, padding: int, high: int, wide: int
) -> None:
    torch.manual_seed(0)
    images = torch.randn(2, 6, high, wide, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(6, 1, kernel, kernel, dtype=torch.float64, requires_grad=True)
    shift = torch.randn(6, dtype=torch.float64, requires_grad=True) if bias else None
    leaves = [images, weight, *([] if shift is None else [shift])]

    ours = StridedDepthwise.apply(images, weight, shift, (padding, padding))  # type: ignore[no-untyped-call]
    theirs = nn.functional.conv2d(images, weight, shift, 2, padding, 1, 6)

    upstream = torch.randn_like(theirs)
    assert torch.equal(ours, theirs)
    for found, expected in zip(
        torch.autograd.grad(ours, leaves, upstream),
        torch.autograd.grad(theirs, leaves, upstream),
        strict=True,
    ):
        assert (found - expected).abs().max() < 1e-10


def test_only_norms_are_touched_and_weights_stay_where_they_are(models: Callable[[str], Path]) -> None:
    with quiet():
        model = transformers.AutoModelForImageClassification.from_pretrained(models("resnet")).eval()
    before = {name: weight.data_ptr() for name, weight in model.named_parameters()}

    fold_norms(model, lambda: model(pixel_values=torch.zeros(1, 3, 32, 32)))

    assert {name: weight.data_ptr() for name, weight in model.named_parameters()} == before
    assert any(isinstance(module, Folded) for module in model.modules())


# The pixels that a model was made for

SHAPES = [(47, 31), (31, 47), (20, 20), (200, 90), (90, 201), (32, 32), (500, 33)]
PROCESSORS: dict[str, tuple[str, dict[str, Any]]] = {
    "MobileNetV2": ("MobileNetV2ImageProcessorPil", {}),
    "MobileNetV2, small": (
        "MobileNetV2ImageProcessorPil",
        {"size": {"shortest_edge": 36}, "crop_size": {"height": 32, "width": 32}},
    ),
    "crop larger than the image": (
        "MobileNetV2ImageProcessorPil",
        {"size": {"shortest_edge": 30}, "crop_size": {"height": 33, "width": 33}},
    ),
    "ViT": ("ViTImageProcessorPil", {}),
    "ViT without normalisation": ("ViTImageProcessorPil", {"size": {"height": 48, "width": 48}, "do_normalize": False}),
    "ViT, bicubic": ("ViTImageProcessorPil", {"size": {"height": 48, "width": 48}, "resample": 3}),
    "ConvNeXt": ("ConvNextImageProcessorPil", {"size": {"shortest_edge": 224}}),
    "ConvNeXt, 384": ("ConvNextImageProcessorPil", {"size": {"shortest_edge": 384}}),
    "ResNet": ("ConvNextImageProcessorPil", {"size": {"shortest_edge": 224}, "crop_pct": 0.875, "resample": 3}),
    "BiT": ("BitImageProcessorPil", {}),
    "BiT without a crop of its own": (
        "BitImageProcessorPil",
        {"size": {"height": 64, "width": 64}, "do_center_crop": False},
    ),
}  # fmt: skip


def processor_of(name: str) -> Any:
    kind, settings = PROCESSORS[name]
    return getattr(transformers, kind)(**settings)


@pytest.mark.parametrize("name", PROCESSORS)
def test_our_pixels_are_those_of_the_models_own_processor(name: str, models: Callable[[str], Path]) -> None:
    processor = processor_of(name)
    made = preparation_of(inspect_folder("vit", models("vit"), PROCESSOR), processor)

    for at, (width, height) in enumerate(SHAPES):
        image = noise(width, height, at)
        theirs = processor(image, return_tensors="np")["pixel_values"][0]
        ours = made.numbers(made.shaped(image))
        assert ours.shape == theirs.shape, (width, height)
        assert np.abs(ours - theirs).max() < 1e-4, (width, height)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("ViTImageProcessorPil", {"do_resize": False}),
        (
            "BitImageProcessorPil",
            {"size": {"height": 64, "width": 64}, "crop_size": {"height": 32, "width": 32}},
        ),
        ("BitImageProcessorPil", {"size": {"shortest_edge": 32}, "do_center_crop": False}),
        ("ViTImageProcessorPil", {"size": {"height": 32, "width": 48}}),
    ],
)
def test_a_processor_that_does_something_else_is_refused(
    kind: str, settings: dict[str, object], models: Callable[[str], Path]
) -> None:
    folder = inspect_folder("vit", models("vit"), PROCESSOR)

    with pytest.raises(ModelError) as error:
        preparation_of(folder, getattr(transformers, kind)(**settings))

    assert str(error.value) == (
        f"{models('vit')}/preprocessor_config.json: {kind} prepares images in a way that luthier does not know: it knows "
        "resizing to a square, and to a shorter side with the middle cut out."
    )


def test_bytes_are_scaled_in_the_model_as_the_processor_does_it() -> None:
    made = Preparation(4, None, 2, 1 / 255, (0.5, 0.4, 0.3), (0.2, 0.3, 0.4))
    pixels = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 3), np.uint8)
    model = ImageModel(nn.Linear(1, 1), nn.Sequential(nn.Dropout(0), nn.Linear(1, 1)), "last", made)

    scaled = model.scaled(torch.from_numpy(pixels).permute(0, 3, 1, 2))

    for row in range(2):
        assert np.abs(scaled[row].numpy() - made.numbers(pixels[row])).max() < 1e-5


# Varied, whatever the batch


def pictures_of(photos: Path, models: Callable[[str], Path], **varied: Any) -> ImageExamples:
    reader = ImageReader(inspect_folder("vit", models("vit"), PROCESSOR))
    files = sorted(photos.rglob("*.png"))[:12]
    examples, _ = reader.examples([FilePicture(file) for file in files], np.arange(12) % 3)
    return examples.varied(Augment(erase=0.5), varied.get("mix"), 3)


@pytest.mark.parametrize("mix", [None, "mixup", "cutmix"])
def test_a_row_looks_the_same_in_an_epoch_whatever_batch_it_is_in(
    mix: str | None, photos: Path, models: Callable[[str], Path]
) -> None:
    one, other = (pictures_of(photos, models, mix=mix) for _ in range(2))
    epoch = Variation(seed=3, epoch=1)

    whole = one.batch(np.arange(12), epoch)
    parts = [other.batch(rows, epoch) for rows in (np.array([7, 3, 11]), np.array([3]))]

    for part in parts:
        assert torch.equal(part.inputs["pixel_values"], whole.inputs["pixel_values"][part.rows])
        assert torch.equal(part.targets, whole.targets[part.rows])


@pytest.mark.parametrize("mix", [None, "mixup", "cutmix"])
def test_each_epoch_and_seed_shows_a_row_otherwise_and_without_variation_it_is_as_it_is(
    mix: str | None, photos: Path, models: Callable[[str], Path]
) -> None:
    examples = pictures_of(photos, models, mix=mix)
    rows = np.arange(4)

    looks = [
        examples.batch(rows, how).inputs["pixel_values"].numpy()
        for how in (Variation(0, 0), Variation(0, 1), Variation(1, 0), None)
    ]

    assert len({look.tobytes() for look in looks}) == 4
    plain = [examples.shaping.shaped(examples.images[row].open()) for row in rows]
    assert np.array_equal(looks[3].transpose(0, 2, 3, 1), np.stack(plain))
    assert examples.batch(rows).targets.tolist() == [0, 1, 2, 0]


def test_a_batch_that_was_announced_is_the_one_that_was_not(
    photos: Path, models: Callable[[str], Path]
) -> None:
    one, other = pictures_of(photos, models), pictures_of(photos, models)
    rows, epoch = np.array([2, 5]), Variation(0, 4)

    one.expect(rows, epoch)

    assert torch.equal(
        one.batch(rows, epoch).inputs["pixel_values"], other.batch(rows, epoch).inputs["pixel_values"]
    )
    assert not one.ahead


def test_some_rows_alone_look_as_they_do_among_all(photos: Path, models: Callable[[str], Path]) -> None:
    examples, epoch = pictures_of(photos, models), Variation(0, 2)

    chosen = examples.select(np.array([8, 1]))

    assert torch.equal(
        chosen.batch(np.array([0, 1]), epoch).inputs["pixel_values"],
        examples.batch(np.array([8, 1]), epoch).inputs["pixel_values"],
    )


@pytest.mark.parametrize("mix", [None, "cutmix"])
def test_a_sheet_shows_rows_as_they_are_read_and_then_as_training_sees_them(
    mix: str | None, photos: Path, models: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = pictures_of(photos, models, mix=mix)
    side = examples.shaping.size
    monkeypatch.setattr(pictures, "SHOWN", side)

    sheet = present(examples.sheet(seed=5, rows=3, epochs=2))

    rows = np.array([0, 5, 11])
    assert sheet.shape == (3 * side, 3 * side, 3)
    for at, how in enumerate((None, Variation(5, 0), Variation(5, 1))):
        seen = examples.batch(rows, how).inputs["pixel_values"].numpy().transpose(0, 2, 3, 1)
        assert np.array_equal(sheet[:, at * side : (at + 1) * side], seen.reshape(3 * side, side, 3))


@pytest.mark.parametrize(("augment", "shown"), [("light", True), ("none", False)])
def test_the_report_shows_varied_images_where_there_are_any(
    augment: str, shown: bool, photos: Path, models: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = run(photos, models("vit"), tmp_path / "run", augment=augment)

    page = (folder.path / "report.html").read_text(encoding="utf-8")
    assert (folder.path / AUGMENTED).is_file() == shown
    assert ("data:image/jpeg;base64," in page) == shown


# Broken files


def test_a_broken_image_is_left_out_and_counted(models: Callable[[str], Path], tmp_path: Path) -> None:
    data = images_folder(tmp_path / "photos", 36)
    (data / "red" / "999.png").write_bytes((data / "red" / "002.png").read_bytes()[:200])
    (data / "blue" / "998.png").write_bytes(b"no image at all")

    rows = understand(plan_for(data))

    told = [one for one in look_over(rows, ()) if one.check == "broken-images"]
    assert len(rows.table) == 38
    assert rows.left_out == {"empty": 2}
    assert len(rows.split.train) + len(rows.split.test) == 36, "of few images none are held out"
    assert [(one.count, one.severity) for one in told] == [(2, "warn")]
    assert "998.png" in told[0].message
    assert "999.png" in told[0].message


def test_a_broken_image_is_refused_by_its_name_when_it_is_asked_about(tmp_path: Path) -> None:
    file = tmp_path / "odd.png"
    file.write_bytes(b"no image at all")

    with pytest.raises(DataError, match=r"odd\.png "):
        FORMS["image"].given([file])[0].open()


# Whole runs


def run(data: Path, model: Path, out: Path, **settings: Any) -> ModelFolder:
    quick = {"method": "full", "lr": 3e-3, "epochs": 2, "batch_rows": 16, "precision": "fp32", "threads": 1}
    return result_of(tune.tune(plan_for(data, model, **quick | {"run.out": str(out)} | settings)))


def statistics(folder: Path) -> dict[str, Tensor]:
    weights = load_file(folder / "model.safetensors")
    return {name: tensor for name, tensor in weights.items() if "running_" in name}


@pytest.mark.parametrize("way", ["frozen", "live"])
def test_statistics_of_norms_stay_where_they_are_frozen(
    way: str, photos: Path, models: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = run(photos, models("resnet"), tmp_path / "run", **{"train.batch_norm": way})

    before, after = statistics(models("resnet")), statistics(folder.model_path)

    assert before.keys() == after.keys()
    assert len(before) > 5
    assert all(torch.equal(before[name], after[name]) for name in before) == (way == "frozen")


def test_a_path_bytes_and_an_opened_image_have_the_same_answer(
    photos: Path, models: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = run(photos, models("mobilenet_v2"), tmp_path / "run", epochs=1)
    file = sorted(photos.rglob("*.png"))[0]

    answers = folder.predict([file, str(file), file.read_bytes(), Image.open(file)])

    assert all(answer == answers[0] for answer in answers)


def test_paths_in_a_file_are_read_as_a_folder_is(
    photos: Path, models: Callable[[str], Path], tmp_path: Path
) -> None:
    files = sorted(photos.rglob("*.png"))
    listed = write_jsonl(
        tmp_path / "rows.jsonl", [{"image": str(file), "label": file.parent.name} for file in files]
    )

    one, two = (prepare(plan_for(data, models("resnet"), precision="fp32")) for data in (photos, listed))

    for part in ("train", "valid", "test"):
        examples = one.examples[part]
        assert examples.targets.tolist() == two.examples[part].targets.tolist()
        rows = np.arange(3)
        pixels = [found.examples[part].batch(rows).inputs["pixel_values"] for found in (one, two)]
        assert torch.equal(*pixels)


def test_a_model_of_texts_is_refused_for_images(photos: Path, bert: Path) -> None:
    with pytest.raises(ModelError) as error:
        prepare(plan_for(photos, bert))

    assert str(error.value) == (
        f"{bert}: holds no preprocessor_config.json, so it is no model of images, and these rows are images. Name one with "
        "--model, such as google/mobilenet_v2_1.0_224."
    )


def test_the_processor_is_saved_beside_the_model(
    photos: Path, models: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = run(photos, models("vit"), tmp_path / "run", epochs=1)

    saved, base = (
        json.loads((path / "preprocessor_config.json").read_text())
        for path in (folder.model_path, models("vit"))
    )

    assert saved == base


# Settings without effect, of all tasks

TEXT, IMAGE = (
    Classification(("a", "b"), name=f"{reads}-classification", reads=reads) for reads in ("text", "image")
)
PAIR = Classification(("a", "b"), name="pair-classification", reads="pair")
TAGS, QUESTION, NUMBER = TokenClassification(("place",)), QuestionAnswering(), Regression()
VECTORS = Embedding("scores")
REFUSED = [
    (QUESTION, {"train.method": "probe"},
     "train.method: question-answering has no probe, as no linear head on frozen features does it. Leave it out."),
    (QUESTION, {"train.head": "probe"},
     "train.head: question-answering has no probe, as no linear head on frozen features does it. Leave it out."),
    (NUMBER, {"train.label_smoothing": 0.1},
     "train.label_smoothing: no effect with regression, which learns no labels. Leave it out."),
    (TAGS, {"train.label_smoothing": 0.1, "train.balance": "loss", "task.labels_per_row": "one"},
     "train.label_smoothing, train.balance, task.labels_per_row: no effect with token-classification, which learns no labels. "
     "Leave it out."),
    (TEXT, {"train.augment": "strong", "train.flip": 0.0},
     "train.augment, train.flip: no effect with text-classification, which reads no images. Leave it out."),
    (TEXT, {"train.method": "full", "train.adapter": "dora", "train.adapter_b_rate": 4.0},
     "train.adapter, train.adapter_b_rate: no effect without adapters. Leave it out, or choose --method lora."),
    (NUMBER, {"train.mix": "mixup"},
     "train.mix: no effect with regression, which reads no images. Leave it out."),
    (TAGS, {"train.batch_norm": "live"},
     "train.batch_norm: no effect with token-classification, which reads no images. Leave it out."),
    (IMAGE, {"train.augment": "none", "train.flip": 0.0},
     "train.flip: no effect with image-classification as it is asked for. Leave it out."),
    (IMAGE, {"data.long": "windows", "task.language": "de"},
     "data.long, task.language: no effect with image-classification as it is asked for. Leave it out."),
    (IMAGE, {"train.method": "few-shot"},
     "train.method: works with texts that have one label each, which these rows of image-classification are "
     "not. Leave it out."),
    (PAIR, {"data.validation": "crossed"},
     "data.validation: 'crossed' works with texts and with images that have one label each, which these rows of "
     "pair-classification are not. Leave it out."),
    (VECTORS, {"data.calibration_share": 0.1},
     "data.calibration_share: no effect with embedding, which has nothing to calibrate. Leave it out."),
    (PAIR, {"data.long": "windows"},
     "data.long: 'windows' are of a single text, and the rows of pair-classification are made of two. Use --long cut."),
    (IMAGE, {"model.pooling": "mean"},
     "model.pooling: 'mean' makes one vector of a single text, and image-classification reads otherwise. Leave it out."),
    (TAGS, {"model.pooling": "cls"},
     "model.pooling: 'cls' makes one vector of a single text, and token-classification reads otherwise. Leave it out."),
]  # fmt: skip


@pytest.mark.parametrize(("task", "settings", "message"), REFUSED)
def test_a_setting_without_effect_is_refused(task: Task, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(PlanError) as error:
        refuse_what_has_no_effect(plan_for(Path("rows.csv"), **settings), task)

    assert str(error.value) == message


@pytest.mark.parametrize(
    ("task", "settings"),
    [
        (
            IMAGE,
            {"train.augment": "strong", "train.flip": 0.0, "train.mix": "mixup", "train.batch_norm": "live"},
        ),
        (IMAGE, {"train.label_smoothing": 0.1, "train.balance": "loss", "task.labels_per_row": "many"}),
        (TEXT, {"model.pooling": "mean", "data.long": "windows"}),
        (TAGS, {"train.method": "probe"}),
        (IMAGE, {"data.validation": "crossed"}),
        (NUMBER, {"train.head": "shrunk", "data.long": "windows"}),
    ],
)
def test_a_setting_with_effect_is_not(task: Task, settings: dict[str, Any]) -> None:
    refuse_what_has_no_effect(plan_for(Path("rows.csv"), **settings), task)
