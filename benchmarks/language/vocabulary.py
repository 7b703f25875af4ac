"""The output layer over a large vocabulary: peak memory and seconds of loss and gradient, in chunks and over all logits."""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch
from torch import Tensor

from benchmarks.harness.machine import describe
from benchmarks.harness.results import write_section

NAME = "Large vocabularies"
TOKENS, VOCABULARY, WIDTH = 4_096, 128_256, 256


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--way", choices=("chunks", "all"), help="one of the two, in this process; prints one JSON line"
    )
    parser.add_argument("--tokens", type=int, default=TOKENS)
    parser.add_argument("--dry", action="store_true", help="print the table, and leave RESULTS.md as it is")
    wanted = parser.parse_args()
    if wanted.way:
        print(json.dumps(measured(wanted.way, wanted.tokens)))
        return
    found = {}
    for way in ("chunks", "all"):
        line = [sys.executable, __file__, "--way", way, "--tokens", str(wanted.tokens)]
        out = subprocess.run(line, check=True, capture_output=True, text=True).stdout
        found[way] = json.loads(out.strip().splitlines()[-1])
    text = table(found, wanted.tokens)
    print(text)
    if not wanted.dry:
        write_section(NAME, text)


def measured(way: str, tokens: int) -> dict[str, Any]:
    """Loss, the sums of its gradients, and what they took beyond the states, the weight and both gradients."""
    from luthier.models.kernels.token_loss import token_log_probabilities

    torch.manual_seed(0)
    states = torch.randn(tokens, WIDTH, requires_grad=True)
    weight = torch.randn(VOCABULARY, WIDTH).mul_(WIDTH**-0.5).requires_grad_()
    wanted = torch.randint(VOCABULARY, (tokens,))
    if way == "chunks":  # a first small pass: what libraries take at their first use is no part of it
        token_log_probabilities(states[:8], weight, None, wanted[:8]).sum().backward()
    else:
        plain(states[:8], weight, wanted[:8]).backward()
    assert states.grad is not None
    assert weight.grad is not None
    states.grad.zero_()
    weight.grad.zero_()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    begin = time.perf_counter()
    loss = (
        -token_log_probabilities(states, weight, None, wanted).mean()
        if way == "chunks"
        else plain(states, weight, wanted)
    )
    loss.backward()
    seconds = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "loss": float(loss.detach()),
        "gradient": float(states.grad.norm()),
        "bytes": peak - before,
        "seconds": seconds,
    }


def plain(states: Tensor, weight: Tensor, wanted: Tensor) -> Tensor:
    return torch.nn.functional.cross_entropy(states @ weight.T, wanted)


def table(found: dict[str, dict[str, Any]], tokens: int) -> str:
    lines = [
        __doc__ or "",
        f"{tokens:,} tokens, {VOCABULARY:,} in the vocabulary, states {WIDTH} wide, fp32.",
        "",
    ]
    lines += [
        "| way | peak beyond what stands | seconds | loss | norm of the states' gradient |",
        "| --- | --- | --- | --- | --- |",
    ]
    for way, one in found.items():
        told = (
            f"{one['bytes'] / 1e6:,.0f} MB | {one['seconds']:.1f} | {one['loss']:.6f} | {one['gradient']:.6g}"
        )
        lines.append(f"| {way} | {told} |")
    ratio = found["all"]["bytes"] / max(1, found["chunks"]["bytes"])
    return "\n".join([*lines, "", f"{ratio:.0f} times less. Machine: {describe()}"])


if __name__ == "__main__":
    main()
