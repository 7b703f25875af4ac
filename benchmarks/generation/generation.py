"""How long it takes to write to many prompts that share a beginning, by luthier and by transformers' `generate`.

    python benchmarks/generation/generation.py --model FOLDER

FOLDER holds a decoder as transformers saves it, such as SmolLM2-135M-Instruct. Prompts are random tokens whose number is that
of a real set: one instruction for all, then a sentence. Both take the likeliest token, in fp32, in one process.
"""

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.harness.machine import busy_seconds, cores, describe
from benchmarks.harness.results import write_section
from luthier.devices import keep_freed_memory
from luthier.models.generation import Decoding, write

SECTION = "Generation"
SHARED, SHORTEST, LONGEST, MOST = 34, 16, 40, 32
"""Tokens of the shared beginning; of what follows it, at the least and at the most; of an answer, at the most."""
TOGETHER = 16
"""Rows of a batch of transformers', as people choose it."""
CPU = torch.device("cpu")

LEGEND = f"""\
Prompts have {SHARED} tokens that are the same in all, then {SHORTEST} to {LONGEST} of their own; answers up to {MOST} tokens.
*transformers*: `generate` in batches of {TOGETHER}, the prompts sorted by length and padded on the left. *To the limit*: no
token ends an answer. *Ending*: the commonest tokens end it, so many that the answers are half as long. *Same texts*: of how
many prompts both write the same. *Others*: processor time that other processes took, as a share of the machine's; where it
is more than a few percent, read the processor seconds. *Speed*: by processor seconds.
"""

Texts = list[tuple[int, ...]]


@dataclass(frozen=True)
class Run:
    """What one tool wrote, and what that took."""

    texts: Texts
    seconds: float
    cpu_seconds: float
    others: float


def prompts_drawn(count: int, vocabulary: int, seed: int) -> Texts:
    rng = random.Random(f"generation {seed}")
    shared = [rng.randrange(vocabulary) for _ in range(SHARED)]
    return [
        (*shared, *(rng.randrange(vocabulary) for _ in range(rng.randint(SHORTEST, LONGEST))))
        for _ in range(count)
    ]


def by_luthier(model: Any, prompts: Texts, end: Sequence[int]) -> Texts:
    return [written.ids for written in write(model, prompts, Decoding(frozenset(end), MOST), CPU)]


def by_transformers(model: Any, prompts: Texts, end: Sequence[int]) -> Texts:
    texts: Texts = [()] * len(prompts)
    order = sorted(range(len(prompts)), key=lambda row: -len(prompts[row]))
    for begin in range(0, len(order), TOGETHER):
        rows = order[begin : begin + TOGETHER]
        longest = max(len(prompts[row]) for row in rows)
        padded = [[0] * (longest - len(prompts[row])) + list(prompts[row]) for row in rows]
        real = [[0] * (longest - len(prompts[row])) + [1] * len(prompts[row]) for row in rows]
        found = model.generate(
            torch.tensor(padded),
            attention_mask=torch.tensor(real),
            do_sample=False,
            max_new_tokens=MOST,
            eos_token_id=list(end) or None,
            pad_token_id=0,
        )
        for row, ids in zip(rows, found[:, longest:].tolist(), strict=True):
            texts[row] = cut(ids, end)
    return texts


def cut(ids: Sequence[int], end: Sequence[int]) -> tuple[int, ...]:
    """The tokens before the one that ends a text."""
    return tuple(ids[: next((at for at, token in enumerate(ids) if token in end), len(ids))])


def ends_of(texts: Texts) -> list[int]:
    """The commonest tokens, as many as it takes to make the texts half as long if they ended them."""
    common = [token for token, _ in Counter(token for text in texts for token in text).most_common()]
    whole = sum(map(len, texts))
    for count in range(1, len(common)):
        if sum(len(cut(text, common[:count])) for text in texts) <= whole / 2:
            return common[:count]
    return common


def timed(run: Callable[[], Texts]) -> Run:
    begin, own, busy = time.perf_counter(), time.process_time(), busy_seconds()
    texts = run()
    seconds, cpu = time.perf_counter() - begin, time.process_time() - own
    return Run(texts, seconds, cpu, max(0.0, busy_seconds() - busy - cpu) / (seconds * cores()))


def row(case: str, tool: str, run: Run, other: Run) -> str:
    tokens = sum(map(len, run.texts))
    same = sum(mine == theirs for mine, theirs in zip(run.texts, other.texts, strict=True))
    return (
        f"| {case} | {tool} | {tokens:,} | {run.seconds:.1f} | {run.cpu_seconds:.1f} | {run.others:.0%} "
        f"| {same} of {len(run.texts)} | {other.cpu_seconds / run.cpu_seconds:.2f}x |"
    )


def measure(model: Any, prompts: Texts) -> list[str]:
    """The rows of the table."""
    rows = []
    end: list[int] = []
    for case in ("to the limit", "ending"):
        ours = timed(partial(by_luthier, model, prompts, end))
        theirs = timed(partial(by_transformers, model, prompts, end))
        rows += [row(case, "luthier", ours, theirs), row(case, "transformers", theirs, theirs)]
        print("\n".join(rows[-2:]), flush=True)
        end = ends_of(theirs.texts)
    return rows


def main() -> None:
    from transformers import AutoModelForCausalLM

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--prompts", type=int, default=64)
    parser.add_argument("--threads", type=int, default=cores())
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dry", action="store_true", help="print the table, write no section")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    keep_freed_memory()
    model = AutoModelForCausalLM.from_pretrained(asked.model, dtype=torch.float32).eval()
    model.generation_config.eos_token_id = None
    prompts = prompts_drawn(asked.prompts, model.config.vocab_size, asked.seed)
    by_luthier(model, prompts[:2], ())  # the first pass of a process is slower, whoever takes it
    header = "| answers | tool | tokens | seconds | processor seconds | others | same texts | speed |"
    table = "\n".join(
        [header, "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |", *measure(model, prompts)]
    )
    print(table)
    if not asked.dry:
        told = f"{asked.model.name}, {asked.prompts} prompts, threads: {asked.threads}, seed {asked.seed}."
        write_section(SECTION, f"{describe()}\n\n{told} {LEGEND}\n{table}")


if __name__ == "__main__":
    main()
