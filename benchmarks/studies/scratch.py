"""What is pre-training worth? The same architecture tuned, and trained from random weights in as many steps.

    python benchmarks/studies/scratch.py --data ../shared/data

Four sets, at a tenth, at three tenths and at all of their training rows: a run of `luthier tune --method full --scratch on` for
each, which also has the probe and TF-IDF. Validation has up to 500 rows at every size, as in `regret.py`. A table goes into
RESULTS.md, and the same as a picture into docs/scratch.svg.

What is measured is kept cell by cell, so an interrupted benchmark goes on where it stopped.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.harness.kept import completed
from benchmarks.harness.machine import describe
from benchmarks.harness.places import DATA, OUT, REPOSITORY
from benchmarks.harness.processes import luthier, names_of
from benchmarks.harness.results import write_section, write_whole
from benchmarks.search.regret import SETS, VALID, prepare, read

SECTION = "Tuned against from scratch"
CHOSEN = ("sst2", "trec", "agnews_7k6", "banking77")
SHARES = (10, 30, 100)
"""Hundredths of the training rows."""
SHOWN = {
    "tuned": ("tuned", "o", "-"),
    "scratch": ("from scratch", "s", "--"),
    "probe": ("probe", "D", "-."),
    "tf-idf": ("TF-IDF", "^", ":"),
}
"""Candidates with their names in words, the marks of their points and the dashes of their lines."""
PICTURE = REPOSITORY / "docs/scratch.svg"


@dataclass(frozen=True)
class Cell:
    """One set at one size: what each candidate came to."""

    set: str
    share: int
    rows: int
    scores: dict[str, float]
    """On the test rows."""
    seconds: dict[str, float]
    operations: dict[str, float]
    """Floating-point operations of learning: six for each parameter and token that is trained on, two where it is only read."""
    others: float
    machine: str

    @property
    def key(self) -> tuple[str, int]:
        return self.set, self.share


def measure(name: str, share: int, data: Path, more: Sequence[str], most: int | None) -> Cell:
    """One run. most: of training rows, for who tries the script out."""
    chosen = SETS[name]
    there = len(read(data / chosen.train)) - (VALID if chosen.dev is None else 0)
    rows = min(share * there // 100, most or there)
    with tempfile.TemporaryDirectory(prefix="luthier-scratch-") as place:
        folder = Path(place)
        _, files = prepare(chosen, "all" if rows == there else str(rows), data, folder, seed=0)
        asked = ["tune", *files, "--method", "full", "--scratch", "on", *more, "--out", str(folder / "run")]
        card, cost = luthier(asked, folder / "cache")
    found = {one["name"]: one for one in card["candidates"] if one["name"] in SHOWN}
    return Cell(
        set=name,
        share=share,
        rows=card["rows"]["train"],
        scores={key: one["test"] for key, one in found.items()},
        seconds={key: one["seconds"] for key, one in found.items()},
        operations=operations(card, found["tuned"]["bytes"] / 4),
        others=cost.others,
        machine=describe(),
    )


def operations(card: dict[str, Any], parameters: float) -> dict[str, float]:
    """Floating-point operations of learning (Kaplan et al. 2020, arXiv:2001.08361, section 2.1), all parameters counted, the
    table of words too."""
    tuning, tokens = card["tuning"], card["cost"]["tokens"]
    steps_of_epoch = -(-card["rows"]["train"] // tuning["batch_rows"])
    of_epoch = tokens * steps_of_epoch / tuning["tuned"]["steps"]
    return {
        "tuned": 6 * parameters * tokens,
        "scratch": 6 * parameters * tuning["scratch"]["tokens"],
        "probe": 2 * parameters * of_epoch,
    }


def section(cells: Sequence[Cell]) -> str:
    words = (
        "Accuracy on the test rows in hundredths; *seconds* of each candidate, those of the probe with the frozen pass over all "
        "rows; *TFLOP*: 10^12 floating-point operations of learning, 6 x parameters x tokens where all layers train, 2 x where "
        "tokens are only read (arXiv:2001.08361, section 2.1), the table of words counted among the parameters. From scratch: "
        "the same architecture, random weights, the same number of steps at five times the rate (docs/candidates.md). Seed 0, "
        "all-MiniLM-L6-v2.\n\n![accuracy by training rows](../docs/scratch.svg)"
    )
    titles = [f"{told}: {what}" for told, _, _ in SHOWN.values() for what in ("accuracy", "seconds")]
    lines = [
        f"| set | rows | {' | '.join(titles)} | TFLOP: tuned | from scratch | probe | others |",
        "| --- |" + " ---: |" * (len(titles) + 5),
    ]
    for one in sorted(cells, key=lambda cell: (CHOSEN.index(cell.set), cell.share)):
        numbers = [
            value
            for name in SHOWN
            for value in (f"{100 * one.scores[name]:.1f}", f"{one.seconds[name]:,.0f}")
        ]
        work = [f"{one.operations[name] / 1e12:,.1f}" for name in ("tuned", "scratch", "probe")]
        lines.append(
            f"| {one.set} | {one.rows:,} ({one.share} %) | {' | '.join(numbers + work)} | {100 * one.others:.0f} % |"
        )
    machines = "\n".join(dict.fromkeys(one.machine for one in cells))
    return f"{machines}\n\n{words}\n\n" + "\n".join(lines)


def picture(cells: Sequence[Cell]) -> str:
    """Accuracy by training rows, a panel for each set, as a file of its own."""
    from luthier.report.drawing import ACCENT, COLOURS, INK, MUTED, drawing

    sets = [name for name in CHOSEN if any(one.set == name for one in cells)]
    colours = {"tuned": ACCENT, "scratch": INK, "probe": MUTED, "tf-idf": MUTED}

    def draw(figure: Any) -> None:
        grid = figure.subplots(1, len(sets), sharey=True, squeeze=False)[0]
        for axes, name in zip(grid, sets, strict=True):
            own = sorted((one for one in cells if one.set == name), key=lambda one: one.rows)
            for key, (told, mark, dashes) in SHOWN.items():
                axes.plot(
                    [one.rows for one in own],
                    [100 * one.scores[key] for one in own],
                    linestyle=dashes,
                    marker=mark,
                    color=colours[key],
                    label=told,
                )
            axes.set_xscale("log")
            axes.set_xticks([one.rows for one in own], [f"{one.rows:,}" for one in own], size=9)
            axes.minorticks_off()
            axes.set_title(name, color=INK, size=13)
            axes.grid(axis="y")
        grid[0].set_ylabel("accuracy, %")
        figure.supxlabel("training rows", color=MUTED, size=13)
        lines, names = grid[0].get_legend_handles_labels()
        figure.legend(lines, names, loc="outside upper center", ncols=len(names), handlelength=2.6)

    told = f"Accuracy on the test rows by training rows, of four candidates on {', '.join(sets)}"
    drawn = str(drawing("scratch", told, 300, draw, width=240 * len(sets)))
    for variable, colour in COLOURS.items():
        drawn = drawn.replace(f"var({variable})", colour)
    return (
        drawn.replace(
            "<svg ",
            '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" style="background: white" ',
            1,
        )
        + "\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the sets")
    parser.add_argument(
        "--sets", type=names_of(CHOSEN), default=list(CHOSEN), help="some of them, as in sst2,trec"
    )
    parser.add_argument("--cache", type=Path, default=OUT / "scratch.jsonl", help="what was measured")
    parser.add_argument(
        "--rows", type=int, help="a smoke run: so many training rows, one epoch, nothing written"
    )
    parser.add_argument(
        "--table-only", action="store_true", help="measure nothing, write table and picture again"
    )
    asked = parser.parse_args()
    if asked.rows:
        cell = measure(asked.sets[0], 100, asked.data, ["--epochs", "1"], asked.rows)
        print(section([cell]))
        print(picture([cell])[:200])
        return
    cells = [(name, share) for share in SHARES for name in asked.sets]
    found = completed(
        asked.cache,
        Cell,
        [] if asked.table_only else cells,
        lambda one: one.key,
        lambda key: [measure(*key, asked.data, [], None)],
    )
    text = section(found)
    print(text)
    write_section(SECTION, text)
    write_whole(PICTURE, picture(found))


if __name__ == "__main__":
    main()
