"""Whether bf16 pays on this machine: asked of the processor, else measured once on small products, and stored."""

import contextlib
import json
import math
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from luthier.errors import DiskError
from luthier.files import cache_folder, write_json
from luthier.hashes import hash_json
from luthier.machine import processor_flags, processor_name

FACTOR = 1.5
"""How many times faster than fp32 a bf16 product must be: a smaller gain is lost on what stays in fp32."""
FLAGS = ("avx512_bf16", "amx_bf16", "bf16")
"""Flags of processors that multiply in bf16: x86's two sets of instructions, and Arm's."""
CAPS = ("SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI")
"""Values of DNNL_MAX_CPU_ISA below all sets of instructions that multiply in bf16 (oneDNN, "CPU dispatcher control")."""
VARIABLES = ("DNNL_MAX_CPU_ISA", "ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY")
"""Environment variables that tell torch and oneDNN to leave out instructions that the processor has."""
SMALL, LARGE = 128, 384
"""Sides of the measured products. They are small: without the instructions, one of a real layer's size takes up to a second."""
HOPELESS = 4.0
"""When bf16 is so many times slower at the small size, overhead is not the reason, and the large size is not measured."""
SECONDS, TRIES = 0.25, 20
"""The most seconds, and the most tries, for the products of one size."""
LARGEST_RECORD = 10_000
"""The most bytes of a stored answer that are read."""
VERSION = 1


@dataclass(frozen=True)
class StandsOn:
    """All that decides the answer."""

    processor: str
    flags: tuple[str, ...]
    torch: str
    threads: int
    variables: dict[str, str | None]

    @staticmethod
    def here() -> "StandsOn":
        flags = processor_flags()
        return StandsOn(
            processor=processor_name(),
            flags=tuple(flag for flag in FLAGS if flag in flags),
            torch=torch.__version__,
            threads=torch.get_num_threads(),
            variables={name: os.environ.get(name) for name in VARIABLES},
        )

    @property
    def ruled_out(self) -> bool:
        """Whether it needs no measurement to know that nothing multiplies in bf16 here."""
        capped = any(str(value).strip().upper() in CAPS for value in self.variables.values())
        return capped or (bool(processor_flags()) and not self.flags)


def bf16_pays(device: torch.device, folder: Path | None = None) -> bool:
    """Whether a bf16 matrix product is at least FACTOR times faster than one in fp32 here.

    folder: where answers are kept; by default in the user's cache folder, which may be deleted at any time.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    here = StandsOn.here()
    if here.ruled_out:
        return False
    path = (folder or cache_folder() / "machine") / f"bf16-{hash_json(asdict(here))[:16]}.json"
    known = kept_ratio(path, here)
    ratio = measured_ratio() if known is None else known
    if known is None:
        keep(path, here, ratio)
    return ratio >= FACTOR


def kept_ratio(path: Path, here: StandsOn) -> float | None:
    """What an earlier command measured; None where there is no such record, or it is damaged, or another machine's."""
    try:
        if not path.is_file() or path.stat().st_size > LARGEST_RECORD:
            return None
        record: Any = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    wanted = json.loads(json.dumps(asdict(here)))
    if not isinstance(record, dict) or record.get("version") != VERSION or record.get("stands_on") != wanted:
        return None
    ratio = record.get("ratio")
    known = isinstance(ratio, float) and math.isfinite(ratio) and ratio > 0
    return ratio if known else None


def keep(path: Path, here: StandsOn, ratio: float) -> None:
    """Keep an answer for later commands, where this user has a folder to keep it in."""
    with contextlib.suppress(DiskError):
        write_json(path, {"version": VERSION, "stands_on": asdict(here), "ratio": ratio})


def measured_ratio() -> float:
    """How many times faster a bf16 product is than one in fp32, each at its best.

    On one thread: two that wait for each other tell more of what else runs on a machine than of its processor.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        ratio = ratio_of(SMALL)
        return ratio if ratio < 1 / HOPELESS else ratio_of(LARGE)
    finally:
        torch.set_num_threads(before)


def ratio_of(size: int) -> float:
    """Shortest times of square products in turn, fp32's by bf16's; as many as the time allows, two of each at the least."""
    best = {torch.float32: math.inf, torch.bfloat16: math.inf}
    until = time.perf_counter() + SECONDS
    for attempt in range(TRIES):
        if attempt > 1 and time.perf_counter() > until:
            break
        for kind in best:
            best[kind] = min(best[kind], product_seconds(size, kind, tries=1))
    return best[torch.float32] / best[torch.bfloat16]


def product_seconds(size: int, dtype: torch.dtype, tries: int = 5) -> float:
    """Shortest time of a square matrix product, after one that warms up."""
    left, right = torch.ones(size, size, dtype=dtype), torch.ones(size, size, dtype=dtype)
    times = []
    for _ in range(tries + 1):
        begin = time.perf_counter()
        torch.mm(left, right)
        times.append(time.perf_counter() - begin)
    return min(times[1:])
