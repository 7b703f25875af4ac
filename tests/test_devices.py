"""What is decided of a machine before the first product."""

import os

import pytest

from luthier import devices


def test_few_compiled_kernels_are_kept_unless_the_environment_says_how_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in devices.KERNELS_KEPT:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LRU_CACHE_CAPACITY", "500")
    devices.choose("cpu", "fp32")
    assert os.environ["LRU_CACHE_CAPACITY"] == "500"
    assert os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] == "128"
