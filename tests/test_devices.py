"""What is decided of a machine before the first product."""

import os

import pytest

from luthier import devices
from luthier.devices import MOST_GROWTH, FreedMemory


def test_few_compiled_kernels_are_kept_unless_the_environment_says_how_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in devices.KERNELS_KEPT:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LRU_CACHE_CAPACITY", "500")
    devices.choose("cpu", "fp32")
    assert os.environ["LRU_CACHE_CAPACITY"] == "500"
    assert os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] == "128"


def test_freed_memory_is_given_back_where_it_has_grown(monkeypatch: pytest.MonkeyPatch) -> None:
    held, given = [100, 90, 90 + MOST_GROWTH, 91 + MOST_GROWTH, 110, 109 + MOST_GROWTH], list[int]()
    monkeypatch.setattr(devices, "resident_bytes", lambda: held[0])
    monkeypatch.setattr(devices, "release_freed_memory", lambda: given.append(len(held)))
    freed = FreedMemory()

    while held:
        freed.look()
        held.pop(0)

    assert given == [3], "after the fourth step alone"
