"""Whether bf16 pays: the processor is asked first, the answer is measured in a moment, and kept for the same machine alone."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch

from luthier import machine, precision
from luthier.hashes import hash_json
from luthier.precision import FACTOR, StandsOn, bf16_pays, measured_ratio

pytestmark = pytest.mark.precision

CPU = torch.device("cpu")
ABLE = frozenset({"avx2", "avx512f", "avx512_bf16"})


@pytest.fixture(autouse=True)
def able(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor that multiplies in bf16, with nothing that tells torch to leave that out."""
    monkeypatch.setattr(precision, "processor_flags", lambda: ABLE)
    for name in precision.VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The answers of the measurements to come; each takes one."""
    answers: list[float] = []
    monkeypatch.setattr(precision, "measured_ratio", lambda: answers.pop(0))
    return answers


def never() -> float:
    raise AssertionError("it was not to be measured")


def record_in(folder: Path) -> Path:
    (path,) = folder.glob("bf16-*.json")
    return path


def test_what_is_measured_is_kept_for_the_next_command(tmp_path: Path, measured: list[float]) -> None:
    measured += [4.1]

    answers = [bf16_pays(CPU, tmp_path) for _ in range(3)]

    assert answers == [True, True, True]
    assert json.loads(record_in(tmp_path).read_text())["ratio"] == 4.1


@pytest.mark.parametrize(("ratio", "pays"), [(FACTOR, True), (FACTOR - 0.01, False), (0.02, False)])
def test_less_than_half_as_fast_again_does_not_pay(
    ratio: float, pays: bool, tmp_path: Path, measured: list[float]
) -> None:
    measured += [ratio]

    assert [bf16_pays(CPU, tmp_path), bf16_pays(CPU, tmp_path)] == [pays, pays]


@pytest.mark.parametrize("flags", [{"avx2", "fma"}, {"avx512f", "avx512_vnni"}, {"asimd"}])
def test_a_processor_without_such_instructions_is_not_measured(
    flags: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "processor_flags", lambda: frozenset(flags))
    monkeypatch.setattr(precision, "measured_ratio", never)

    assert not bf16_pays(CPU, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["DNNL_MAX_CPU_ISA", "ONEDNN_MAX_CPU_ISA"])
@pytest.mark.parametrize("cap", ["AVX2", "avx2", "AVX512_CORE", "AVX512_CORE_VNNI"])
def test_nor_is_one_that_was_told_to_leave_them_out(
    name: str, cap: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, cap)
    monkeypatch.setattr(precision, "measured_ratio", never)

    assert not bf16_pays(CPU, tmp_path)


@pytest.mark.parametrize("cap", ["AVX512_CORE_BF16", "AVX512_CORE_AMX", "ALL", "DEFAULT", "no such set"])
def test_a_cap_above_them_leaves_it_to_the_measurement(
    cap: str, tmp_path: Path, measured: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DNNL_MAX_CPU_ISA", cap)
    measured += [4.0]

    assert bf16_pays(CPU, tmp_path)


def test_where_the_system_tells_nothing_of_its_processor_it_is_measured(
    tmp_path: Path, measured: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "processor_flags", frozenset)
    measured += [2.0]

    assert bf16_pays(CPU, tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        lambda patch: patch.setattr(precision, "processor_name", lambda: "another"),
        lambda patch: patch.setattr(precision, "processor_flags", lambda: ABLE | {"amx_bf16"}),
        lambda patch: patch.setattr(torch, "__version__", "99.0"),
        lambda patch: patch.setattr(torch, "get_num_threads", lambda: 64),
        lambda patch: patch.setenv("DNNL_MAX_CPU_ISA", "AVX512_CORE_BF16"),
        lambda patch: patch.setenv("ATEN_CPU_CAPABILITY", "default"),
    ],
    ids=["processor", "flags", "torch", "threads", "DNNL_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY"],
)
def test_on_another_machine_it_is_measured_again_even_under_the_same_name(
    change: Any, tmp_path: Path, measured: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    measured += [4.0, 0.5]
    assert bf16_pays(CPU, tmp_path)
    foreign = record_in(tmp_path).read_text()
    change(monkeypatch)
    own = hash_json(asdict(StandsOn.here()))[:16]
    (tmp_path / f"bf16-{own}.json").write_text(foreign)

    assert not bf16_pays(CPU, tmp_path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[:-20],
        lambda text: "[]",
        lambda text: "[" * 9000,
        lambda text: text.replace("4.0", '"4.0"'),
        lambda text: text.replace("4.0", "true"),
        lambda text: text.replace("4.0", "NaN"),
        lambda text: text.replace("4.0", "-4.0"),
        lambda text: text.replace('"version": 1', '"version": 2'),
        lambda text: text + " " * 20_000,
    ],
)
def test_a_damaged_record_is_measured_again_and_replaced(
    damage: Any, tmp_path: Path, measured: list[float]
) -> None:
    measured += [4.0, 0.5]
    assert bf16_pays(CPU, tmp_path)
    path = record_in(tmp_path)
    path.write_text(damage(path.read_text()))

    assert not bf16_pays(CPU, tmp_path)
    assert json.loads(path.read_text())["ratio"] == 0.5


def test_a_record_that_is_no_file_or_cannot_be_written_stops_nobody(
    tmp_path: Path, measured: list[float]
) -> None:
    measured += [4.0, 4.0, 4.0]
    assert bf16_pays(CPU, tmp_path / "kept")
    path = record_in(tmp_path / "kept")
    path.unlink()
    os.mkfifo(path)
    (tmp_path / "file").write_text("")

    assert bf16_pays(CPU, tmp_path / "kept")
    assert bf16_pays(CPU, tmp_path / "file")


def test_a_measurement_ends_in_time_where_a_product_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, torch.dtype]] = []

    def slow(size: int, dtype: torch.dtype, tries: int) -> float:
        asked.append((size, dtype))
        return 0.05 if dtype == torch.bfloat16 else 0.001

    monkeypatch.setattr(precision, "product_seconds", slow)
    before = torch.get_num_threads()

    assert measured_ratio() == pytest.approx(0.02)
    assert {size for size, _ in asked} == {precision.SMALL}, "the larger one is not tried"
    assert torch.get_num_threads() == before


def test_the_best_of_several_counts_whatever_disturbed_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    times = {torch.float32: iter([0.9, 0.004] * 40), torch.bfloat16: iter([0.001, 0.7] * 40)}
    monkeypatch.setattr(precision, "product_seconds", lambda size, dtype, tries: next(times[dtype]))

    assert measured_ratio() == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("text", "name", "flags"),
    [
        ("processor\t: 0\nmodel name\t: AMD EPYC\nflags\t\t: fpu avx2\n", "AMD EPYC", {"fpu", "avx2"}),
        ("processor\t: 0\nFeatures\t: fp asimd bf16\n", None, {"fp", "asimd", "bf16"}),
        ("", None, set()),
    ],
)
def test_the_processor_is_named_as_the_system_names_it(
    text: str, name: str | None, flags: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "cpuinfo", lambda: text)

    assert machine.processor_flags() == flags
    assert machine.processor_name() == name or name is None
