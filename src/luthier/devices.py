"""Where to compute, in which precision: decided once, by measuring this machine, and recorded with the run."""

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import dtype as Dtype

from luthier.errors import PlanError
from luthier.machine import cores, resident_bytes
from luthier.precision import bf16_pays


@dataclass(frozen=True)
class Device:
    """One process on one device."""

    kind: str
    """`cpu` or `cuda`, as torch names it."""
    precision: str
    """`fp32` or `bf16`, in which the body computes training and features. Masters, moments and heads stay in fp32."""
    threads: int

    @property
    def torch(self) -> torch.device:
        return torch.device(self.kind)

    @property
    def dtype(self) -> Dtype:
        return {"fp32": torch.float32, "bf16": torch.bfloat16}[self.precision]


KERNELS_KEPT = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": 128, "LRU_CACHE_CAPACITY": 64}
"""Compiled kernels that oneDNN keeps, and that torch keeps beside it with room for each to work in, of 1,024 each as they come.
Batches differ in length, so that most shapes are not asked for twice, and what is kept for them fills hundreds of megabytes."""


def choose(device: str = "auto", precision: str = "auto", threads: int | None = None) -> Device:
    """The device for a run. Raises PlanError when it was named and is not there.

    Call it before any other torch work of the process: flushing denormals takes hold of the worker threads only if it is
    set before they start. (AdamW's moments of word rows not seen for long sink into denormals, which cost ten-fold.)
    """
    for name, kept in KERNELS_KEPT.items():
        os.environ.setdefault(name, str(kept))
    torch.set_flush_denormal(True)
    keep_freed_memory()
    torch.set_num_threads(threads or available_cores())
    if device == "cuda" and not torch.cuda.is_available():
        raise PlanError(
            "run.device: 'cuda' was asked for, but torch finds no CUDA device here. Use --device cpu."
        )
    kind = "cuda" if device == "cuda" or (device == "auto" and torch.cuda.is_available()) else "cpu"
    if precision == "auto":
        precision = "bf16" if bf16_pays(torch.device(kind)) else "fp32"
    return Device(kind, precision, torch.get_num_threads())


@contextlib.contextmanager
def with_threads(count: int | None) -> Iterator[None]:
    """Inside, torch computes with so many CPU threads; with as many as before where it is None."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
"""Numbers of glibc's malloc options (malloc.h), for mallopt."""
LARGEST_KEPT = 32 * 2**20
"""The largest M_MMAP_THRESHOLD that glibc takes on a 64-bit machine, in bytes."""


MOST_GROWTH = 32 * 2**20
"""Bytes by which a process may grow from step to step. Given back after each, fresh pages would cost a tenth of the step."""


def keep_freed_memory() -> None:
    """Have malloc keep what is freed: a step frees and asks again for the same activations, and a fresh page costs a fault.

    10 to 15 % of a step on a CPU (docs/engine.md). Where malloc is not glibc's, nothing is changed.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(M_TOP_PAD, 2**20)


def release_freed_memory() -> None:
    """Give back to the machine what was freed and is kept: between two steps of a run nobody asks for the same again, and what
    the first leaves in pieces would stand beside what the second needs. Milliseconds."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform.startswith("linux") else None
    if trim is not None:
        trim(0)


@dataclass
class FreedMemory:
    """What steps of many sizes free: kept, as the next one asks for it again, until it lies in so many pieces that it grows."""

    least: int = 0
    """The least that the process held after a step since it was last given back, in bytes."""

    def look(self) -> None:
        """Look after a step, and give it back where it has grown."""
        now = resident_bytes()
        self.least = min(now, self.least or now)
        if now > self.least + MOST_GROWTH:
            release_freed_memory()
            self.least = 0


def available_cores() -> int:
    """Cores this process may use, which in a container are fewer than the machine has, or as OMP_NUM_THREADS says."""
    if os.environ.get("OMP_NUM_THREADS", "").isdigit():
        return int(os.environ["OMP_NUM_THREADS"])
    return cores()
