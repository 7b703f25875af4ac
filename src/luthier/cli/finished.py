"""The commands over a run that is finished."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from luthier.cli.app import app
from luthier.errors import PlanError
from luthier.plan.named_columns import columns_by_role
from luthier.plan.plan import fields
from luthier.terminal import json_line

READ_COLUMN = "Column that holds the {}. The column of the run when not given."


@Parameter(name="*")
@dataclass(frozen=True)
class ReadColumns:
    """The columns that a model reads, by role."""

    text: Annotated[str | None, Parameter(help=READ_COLUMN.format("text"))] = None
    text2: Annotated[str | None, Parameter(help=READ_COLUMN.format("second text of a pair"))] = None
    question: Annotated[str | None, Parameter(help=READ_COLUMN.format("question about the text"))] = None
    image: Annotated[str | None, Parameter(help=READ_COLUMN.format("image, or its path"))] = None
    column: Annotated[
        list[str] | None, Parameter(help=str(fields()["data.columns"].description), negative=())
    ] = None

    def by_role(self) -> dict[str, str]:
        """The columns that were named. Raises PlanError for what names none."""
        flags = {"text": self.text, "text2": self.text2, "question": self.question, "image": self.image}
        try:
            others = columns_by_role(self.column or {})
        except ValueError as error:
            raise PlanError(f"--column {' '.join(self.column or ())}: expected {error}.") from None
        return others | {role: name for role, name in flags.items() if name is not None}


@Parameter(name="*")
@dataclass(frozen=True)
class HowWritten:
    """How a file is written, and where what it names lies."""

    encoding: Annotated[str | None, Parameter(help=fields()["data.encoding"].description)] = None
    delimiter: Annotated[str | None, Parameter(help=fields()["data.delimiter"].description)] = None
    quoting: Annotated[str | None, Parameter(help=fields()["data.quoting"].description)] = None
    images: Annotated[str | None, Parameter(help=fields()["data.images"].description)] = None


def share_of(error: str | None) -> float | None:
    """The limit of error that was named. Raises PlanError for what is no number."""
    try:
        return None if error is None else float(error)
    except ValueError:
        raise PlanError(f"--error {error}: expected a share between 0 and 1, as in --error 0.05.") from None


@app.command
def predict(
    run: Annotated[str, Parameter(help="Folder of a run, or its model folder.")],
    data: Annotated[
        str, Parameter(help="File with the columns that the model reads, as for tune; or a folder of images.")
    ],
    /,
    *,
    out: Annotated[str | None, Parameter(help="File to write; standard output without it.")] = None,
    error: Annotated[
        str | None,
        Parameter(
            help="Largest share of wrong answers: 0.05 leaves rows to a person so that at most 5 % of the others are wrong."
        ),
    ] = None,
    explain: Annotated[
        str | None,
        Parameter(
            help="What each answer comes with, as in nearest,words: the training rows most like the row, and the words that the "
            "answer rests on; of images nearest,regions."
        ),
    ] = None,
    columns: ReadColumns = ReadColumns(),
    written: HowWritten = HowWritten(),
) -> None:
    """One JSON line per row, in row order, with calibrated probabilities."""
    from luthier.data.writing import Writing
    from luthier.files import write_text
    from luthier.folder.model_folder import explanations_named, load
    from luthier.session.out import refuse_unwritable_file
    from luthier.steps.answer import answer_file

    refuse_unwritable_file(out)
    named, limit = columns.by_role(), share_of(error)  # before anything is opened
    writing = Writing(written.encoding, written.delimiter, written.quoting)
    images = None if written.images is None else Path(written.images)
    found = answer_file(
        load(run), Path(data), named, writing, images, limit, explanations_named(explain or "")
    )
    if found.unanswered:
        print(
            f"{found.unanswered:,} of {len(found):,} rows have nothing to read: their answer is null.",
            file=sys.stderr,
        )
    if found.beyond:
        print(
            f"{found.beyond:,} of {len(found):,} rows are longer than the model reads: their answer is null.",
            file=sys.stderr,
        )
    for words in found.told:
        print(words, file=sys.stderr)
    lines = found.lines()
    if out is None:
        sys.stdout.write(lines)
    else:
        write_text(Path(out), lines)


@app.command
def report(run: Annotated[str, Parameter(help="Folder of a finished run or search.")], /) -> None:
    """Write report.html anew from the records of a run or a search."""
    from luthier.report.page import write_report
    from luthier.report.search_page import write_search_page

    path = Path(run)
    print(write_search_page(path) if os.path.lexists(path / "search.json") else write_report(path))


@app.command
def export(
    run: Annotated[str, Parameter(help="Folder of a run, or its model folder.")],
    /,
    *,
    format: Annotated[
        str, Parameter(help="Format of the file: gguf, for llama.cpp and what is built on it.")
    ],
    type: Annotated[
        str | None, Parameter(help="Number type of the weights: F16, BF16, Q8_0 or Q4_0. [F16]")
    ] = None,
    out: Annotated[str | None, Parameter(help="File to write; one in RUN/export without it.")] = None,
    json: Annotated[
        bool, Parameter(help="Last line of standard output: the result as one JSON object.", negative=())
    ] = False,
    quiet: Annotated[bool, Parameter(help="No progress.", negative=())] = False,
) -> None:
    """Write a tuned decoder for other programs, compared with the original before it is called done."""
    from luthier.export.export_record import export_words
    from luthier.session.exports import export_model

    found = export_model(Path(run), format, type, None if out is None else Path(out), quiet)
    print(json_line(found.to_json()) if json else export_words(found.path, found.record))


@app.command
def chat(
    run: Annotated[str, Parameter(help="Folder of a run over conversations, or its model folder.")],
    /,
    *,
    max_tokens: Annotated[
        str | None, Parameter(help="Tokens of an answer at the most. As in the run when not given.")
    ] = None,
    json: Annotated[
        bool, Parameter(help="Each answer as one JSON object on a line of its own.", negative=())
    ] = False,
) -> None:
    """Talk to a tuned language model, which keeps the conversation. Lines of another program are answered one after the other."""
    from luthier.session.chat import chat as talk

    if max_tokens is not None and not (max_tokens.isdigit() and int(max_tokens) > 0):
        raise PlanError(
            f"--max-tokens {max_tokens}: expected how many tokens an answer may have, as in --max-tokens 200."
        )
    talk(Path(run), None if max_tokens is None else int(max_tokens), json)


@app.command
def compare(
    run_a: Annotated[str, Parameter(help="Folder of a finished run or search.")],
    run_b: Annotated[str, Parameter(help="Folder of another one, tested on the same rows.")],
    /,
    *,
    json: Annotated[
        bool, Parameter(help="Last line of standard output: the result as one JSON object.", negative=())
    ] = False,
) -> None:
    """Whether RUN_A is better than RUN_B, worse, or no different as far as the same test rows can tell."""
    from luthier.session.comparing import compare as compare_two

    found = compare_two(run_a, run_b)
    print(json_line(found.to_json()) if json else found.words)


@app.command
def verdict(
    run: Annotated[str, Parameter(help="Folder of a finished run.")],
    /,
    *,
    require: Annotated[
        str | None,
        Parameter(
            help="What the run has to come to on its test rows, as in accuracy=0.9,ece=0.05,forgetting=0.02: at least of metrics "
            "that are better when higher, at most of others."
        ),
    ] = None,
    baseline: Annotated[
        str | None,
        Parameter(
            help="Folder of a finished run, which RUN may not be worse than beyond noise, on the same test rows."
        ),
    ] = None,
    junit: Annotated[str | None, Parameter(help="JUnit XML file to write, for a build server.")] = None,
) -> int:
    """Exit code 0: ship. Exit code 3: not better than its baseline beyond noise, or a condition fails."""
    from luthier.session.verdicts import verdict_on

    other, file = (None if named is None else Path(named) for named in (baseline, junit))
    found = verdict_on(Path(run), require, other, file)
    for one in found:
        print(one.words)
    return 0 if all(one.holds for one in found) else 3
