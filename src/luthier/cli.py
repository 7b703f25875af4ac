"""The command line: flags made from the plan's own fields, each command one call."""

import inspect
import io
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NoReturn, get_args

from cyclopts import App, CycloptsError, Parameter, UnusedCliTokensError

from luthier.errors import InputError, LuthierError, PlanError, did_you_mean, listing
from luthier.models.telemetry import disable_telemetry
from luthier.plan.named_columns import COLUMNS, columns_by_role
from luthier.plan.plan import Plan, fields, flag, read_plan
from luthier.plan.search import SECTION, SearchPlan, parted
from luthier.terminal import drawn_on, json_line, plain_streams

app = App(
    name="luthier",
    help="Adapts a pre-trained model to your own examples: tested, calibrated, explained, ready to use without luthier.",
    help_format="plaintext",
    version_flags=["--version"],
    suppress_keyboard_interrupt=False,
)


def main() -> None:
    """Run a command and end with its exit code; what went wrong is one message on standard error, never a traceback of ours."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    disable_telemetry()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a name or a text may hold half a letter
    with plain_streams():
        answer(sys.argv[1:])


def answer(words: Sequence[str]) -> NoReturn:
    """Run the command that some words make, and exit."""
    if sys.stdout.isatty():
        from rich.console import Console

        app.console = Console(file=drawn_on(sys.stdout))  # Help has bold letters there.
    try:
        result = app(words, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
    except CycloptsError as error:
        fail(misspelt(error), InputError.exit_code)
    except LuthierError as error:
        fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        fail("Interrupted.", 130)
    except BrokenPipeError:
        # Whoever read our output has left, as `head` does: nothing is wrong, and nothing more can be said.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    else:
        sys.exit(result if isinstance(result, int) else 0)


def fail(message: str, code: int) -> NoReturn:
    print(message, file=sys.stderr)
    sys.exit(code)


def misspelt(error: CycloptsError) -> str:
    """What to say of a command line that cannot be read."""
    command = " ".join(["luthier", *(error.command_chain or [])])
    words = str(error)
    if isinstance(error, UnusedCliTokensError):
        extra = listing(error.unused_tokens or [])
        words = f"{extra}: more than `{command}` takes. Put a name with blanks between quotes."
    return f"{words} `{command} --help` lists what there is."


def planned(function: Any, more: tuple[inspect.Parameter, ...] = (), section: str = "") -> Any:
    """Give a command the plan's fields as flags, and `more` of its own. It is called with the plan of the settings that were
    given, and with its own by name; those of a plan file's `section`, which no other command knows, count where they are
    not given as flags."""
    names: dict[str, str] = {}
    parameters = [
        inspect.Parameter(
            "data", inspect.Parameter.POSITIONAL_ONLY, default=None,
            annotation=Annotated[str | None, Parameter(help=fields()["data.path"].description)],
        )
    ]  # fmt: skip
    for key, info in fields().items():
        if key != "data.path":
            names[key.replace(".", "_")] = key
            kind = list[str] if key == COLUMNS else str
            parameters.append(option(key.replace(".", "_"), flag(key), kind, described(info)))
    extras = {
        "plan": option(
            "plan", "--plan", str, "Plan file (TOML), such as RUN/plan.toml; flags given beside it win."
        ),
        "set": option("set", "--set", list[str], "Any setting as section.key=value; may be repeated."),
        "json": option(
            "json", "--json", bool, "Last line of standard output: the result as one JSON object."
        ),
        "quiet": option("quiet", "--quiet", bool, "No progress."),
    }
    parameters += [*extras.values(), *more]

    def command(data: str | None = None, **given: Any) -> Any:
        settings = read_plan(Path(given["plan"])) if given.get("plan") else {}
        if data is not None:
            settings["data.path"] = data
        if given.get(COLUMNS.replace(".", "_")):
            settings = with_columns(settings, given.pop(COLUMNS.replace(".", "_")))
        settings |= {
            names[name]: value for name, value in given.items() if name in names and value is not None
        }
        for pair in given.get("set") or []:
            key, equals, value = pair.partition("=")
            if not equals:
                raise PlanError(f"--set {pair!r}: expected section.key=value, as in --set train.lr=1e-4.")
            settings.pop(key, None)  # What is said last counts, whichever way the key is written.
            settings[key] = value
        own = {one.name: given.get(one.name) for one in more}
        if section:
            settings, found = parted(settings)
            own = {**found, **{name: value for name, value in own.items() if value is not None}}
        shown = {"as_json": bool(given.get("json")), "quiet": bool(given.get("quiet"))}
        return function(Plan.build(settings), **shown, **own)

    command.__annotations__ = {}  # Those of the signature count, which have the help.
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__name__, command.__doc__ = function.__name__, function.__doc__
    return command


def with_columns(settings: Mapping[str, Any], named: Sequence[str]) -> dict[str, Any]:
    """Settings of a plan file with the columns of the command line in the place of theirs. named: role=NAME each."""
    try:
        columns = columns_by_role(named)
        others = columns_by_role(settings.get(COLUMNS) or {})
    except ValueError as error:
        raise PlanError(f"--column {' '.join(named)}: expected {error}.") from None
    kept = {key: value for key, value in settings.items() if key.removeprefix("data.") not in columns}
    return {**kept, COLUMNS: {**others, **columns}}


def option(name: str, spelling: str, kind: Any, help: str) -> inspect.Parameter:
    optional = kind if kind is bool else kind | None
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=False if kind is bool else None,
        annotation=Annotated[optional, Parameter(name=spelling, help=help, negative=(), show_default=False)],
    )


def described(info: Any) -> str:
    """A field's help with its choices and its default."""
    text = " ".join(str(info.description).split())
    choices = get_args(info.annotation)
    if choices and all(isinstance(choice, str) for choice in choices):
        text += f" One of {', '.join(choices)}."
    if info.default is None or info.default == () or not isinstance(info.default, (str, int, float)):
        return text
    return f"{text} [{info.default}]"


WRITE_PLAN = option(
    "write_plan", "--write-plan", str, "Keep what was guessed in a plan file (TOML), to correct there and go on with: "
    "luthier tune --plan FILE.",
)  # fmt: skip


def foresee(plan: Plan, as_json: bool, quiet: bool, write_plan: str | None) -> None:
    """What tune would do with DATA, how long it would take and how much memory: trains nothing, writes nothing.

    Only --write-plan writes the file that it names."""
    from luthier.files import write_text
    from luthier.report.forecast_words import forecast_words
    from luthier.session.runs import plan_record

    record = plan_record(plan)
    if write_plan:
        write_text(Path(write_plan), Plan.build(record["plan"]).to_toml())
    print(
        json_line(record) if as_json else forecast_words(record),
        end="\n" if as_json else "",
    )


app.command(planned(foresee, (WRITE_PLAN,)), name="plan")


def check(
    plan: Plan,
    as_json: bool,
    quiet: bool,
    fix: str | None,
    apply: str | None,
    undo: str | None,
    forecast: str | None,
    write_plan: str | None,
) -> int:
    """What is wrong with the examples in DATA, what it does to a model, and what mends it. Exit code 2 where tune would
    refuse them. Writes nothing but what --fix, --apply, --undo, --write-plan or --out ask for."""
    from luthier.doctor.fixes import checked_kinds
    from luthier.doctor.label_forecast import checked_score, forecast_labels
    from luthier.doctor.mend import apply_patch, mend, undo_patch
    from luthier.files import write_text
    from luthier.report.check_words import check_words, mended_words
    from luthier.report.page import write_check_page
    from luthier.report.run_records import FindingRecord, write_findings
    from luthier.session.runs import check_plan

    asked = [name for name, value in (("--fix", fix), ("--apply", apply), ("--undo", undo)) if value]
    if len(asked) > 1:
        raise PlanError(f"{' and '.join(asked)}: one at a time.")
    if apply or undo:
        target = apply_patch(plan, Path(apply)) if apply else undo_patch(plan, Path(undo or ""))
        print(json_line({"written": str(target)}) if as_json else target)
        return 0
    kinds = checked_kinds([one.strip() for one in (fix or "").split(",") if one.strip()])
    score = None if forecast is None else checked_score(forecast)
    checkup = check_plan(plan, quiet)
    record = checkup.to_json()
    if write_plan and checkup.rows is not None:
        write_text(Path(write_plan), checkup.plan_with_guesses(plan).to_toml())
    if score is not None:
        record["forecast"] = forecast_labels(checkup, score, plan.run.seed).to_json()
    if kinds and checkup.evidence is not None:
        record["mended"] = mend(plan, checkup, kinds).to_json()
    if plan.run.out is not None:
        write_findings(Path(plan.run.out), record["findings"])
        found = [FindingRecord.of(one) for one in record["findings"]]
        write_check_page(Path(plan.run.out), Path(plan.data.path).name, found)
    if as_json:
        print(json_line(record))
    else:
        print(check_words(record) + (mended_words(record["mended"]) if "mended" in record else ""), end="")
    return 2 if checkup.stops else 0


app.command(
    planned(
        check,
        (
            option("fix", "--fix", str, "Write a corrected copy beside DATA (or in --out) and a patch that can be undone: "
                   "copies, near-copies, leaks, empty, garbage, label-names, personal-data, labels:review; several with commas."),
            option("apply", "--apply", str, "Write the corrected copy that a patch file, perhaps edited by you, makes of DATA."),
            option("forecast", "--forecast", str, "How many labelled rows this score would take, as in --forecast 0.95."),
            option("undo", "--undo", str, "DATA is a corrected copy: write its original back, by the patch file."),
            WRITE_PLAN,
        ),
    ),
    name="check",
)  # fmt: skip


def suggest(plan: Plan, as_json: bool, quiet: bool, unlabelled: str | None, n: str | None) -> None:
    """Which rows of an unlabelled file to label next, given those of DATA: written as a CSV to fill in, and as tasks for
    Label Studio, beside the file or in --out."""
    from luthier.session.runs import suggest_for

    if not unlabelled:
        raise PlanError("--unlabelled: name the file of rows without labels, as in --unlabelled more.csv.")
    if n is not None and not (n.isdigit() and int(n) > 0):
        raise PlanError(f"-n {n}: expected how many rows to suggest, as in -n 50.")
    found = suggest_for(plan, Path(unlabelled), int(n or 50), quiet)
    if as_json:
        print(json_line(found.to_json()))
        return
    for row in found.rows[:5]:
        print(f"  {row['file']}, line {row['row']}: {' '.join(row['text'].split())[:90]}")
    if len(found.rows) > 5:
        print(f"  ... and {len(found.rows) - 5:,} more; each is {found.why}.")
    print(f"\n{found.csv}   to fill in\n{found.tasks}   tasks for Label Studio")


app.command(
    planned(
        suggest,
        (
            option("unlabelled", "--unlabelled", str, "File of rows without labels, with the text column of DATA."),
            option("n", "-n", str, "How many rows to suggest. [50]"),
        ),
    ),
    name="suggest",
)  # fmt: skip


@app.command(name="tune")
@planned
def tune(plan: Plan, as_json: bool, quiet: bool) -> None:
    """Adapt a pre-trained model to the examples in DATA: the main job."""
    from luthier.session.runs import run_plan

    show(run_plan(plan, quiet), as_json)


READING = "adaptation"
"""The task that `luthier adapt` is short for."""


@app.command(name="adapt")
@planned
def adapt(plan: Plan, as_json: bool, quiet: bool) -> None:
    """Let a language model go on reading in the texts of DATA, before it is tuned or for itself: tune --task adaptation."""
    from luthier.session.runs import run_plan

    if plan.task.name not in ("auto", READING):
        raise PlanError(
            f"--task {plan.task.name}: `luthier adapt` goes on reading texts. `luthier tune` takes every task."
        )
    show(run_plan(Plan.build({**plan.settings(), "task.name": READING}), quiet), as_json)


def search(plan: Plan, as_json: bool, quiet: bool, **asked: Any) -> None:
    """Try settings of a plan by grid, random or Bayesian search, and end with the best, tested, in OUT/best."""
    from luthier.session.searches import search_plan

    show_search(search_plan(plan, SearchPlan.build(asked), quiet), as_json)


def search_options() -> tuple[inspect.Parameter, ...]:
    """The fields of a search as flags."""
    kinds = {"vary": list[str]}
    return tuple(
        option(name, "--" + name, kinds.get(name, str), described(info))
        for name, info in SearchPlan.model_fields.items()
    )


app.command(planned(search, search_options(), SECTION), name="search")


def show_search(found: Any, as_json: bool) -> None:
    """What a finished search ends with."""
    if as_json:
        print(json_line(found.to_json()))
        return
    from luthier.folder.scorecard import Scorecard
    from luthier.report.search_words import search_words

    print(search_words(found.told, Scorecard.read(found.path).card))
    print(f"\n{found.path}/report.html        the report\n{found.path}/best/model         the model")


@app.command
def resume(
    run: Annotated[str, Parameter(help="Folder of a run or a search that was killed or interrupted.")],
    /,
    *,
    json: Annotated[
        bool, Parameter(help="Last line of standard output: the result as one JSON object.", negative=())
    ] = False,
    quiet: Annotated[bool, Parameter(help="No progress.", negative=())] = False,
) -> None:
    """Go on after a crash or Ctrl-C, to the same bytes as a run that was never stopped."""
    from luthier.searching.result import SearchResult
    from luthier.session import resuming

    found = resuming.resume(run, quiet=quiet)
    if isinstance(found, SearchResult):
        show_search(found, json)
    else:
        show(found, json)


def show(folder: Any, as_json: bool) -> None:
    """What a finished run ends with."""
    scorecard = folder.scorecard
    if as_json:
        print(json_line({"run": str(folder.path), **scorecard.record}))
        return
    print()
    width = max(10, *(len(candidate["name"]) for candidate in scorecard.record["candidates"]))
    for candidate in scorecard.record["candidates"]:
        mark = "  <- kept" if candidate["name"] == scorecard.chosen else ""
        print(
            f"  {candidate['name']:<{width}} {scorecard.metric} {candidate['valid']:.3f} on validation, "
            f"{candidate['test']:.3f} on test{mark}"
        )
    print(f"\n{scorecard.words}")
    print(scorecard.record["worth"]["words"])
    print(f"\n{folder.path}/report.html   the report\n{folder.path}/model         the model")


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


@app.command
def predict(
    run: Annotated[str, Parameter(help="Folder of a run, or its model folder.")],
    data: Annotated[
        str, Parameter(help="File with the columns that the model reads, as for tune; or a folder of images.")
    ],
    /,
    *,
    out: Annotated[str | None, Parameter(help="File to write; standard output without it.")] = None,
    columns: ReadColumns = ReadColumns(),
    written: HowWritten = HowWritten(),
) -> None:
    """One JSON line per row, in row order, with calibrated probabilities."""
    from luthier.data.writing import Writing
    from luthier.files import write_text
    from luthier.folder.model_folder import load
    from luthier.session.out import refuse_unwritable_file
    from luthier.steps.answer import answer_file

    refuse_unwritable_file(out)
    named = columns.by_role()  # before anything is opened
    writing = Writing(written.encoding, written.delimiter, written.quoting)
    images = None if written.images is None else Path(written.images)
    found = answer_file(load(run), Path(data), named, writing, images)
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
def verdict(run: Annotated[str, Parameter(help="Folder of a finished run.")], /) -> int:
    """Exit code 0: ship. Exit code 3: not better than its baseline beyond noise."""
    from luthier.folder.scorecard import Scorecard

    scorecard = Scorecard.read(Path(run))
    print(scorecard.words)
    return 0 if scorecard.ship else 3


@app.command
def demo(
    which: Annotated[
        str, Parameter(help="text: messages and their topics; chat: JSON made of messages.")
    ] = "text",
    /,
    *,
    out: Annotated[str | None, Parameter(help="Folder of the run. [runs/demo, runs/demo-chat]")] = None,
) -> None:
    """The main job on embedded messages and a packaged model, offline: about a minute for text, ten at the most for chat."""
    from luthier.session.demos import DEMOS

    if which not in DEMOS:
        raise PlanError(
            f"demo {which}: there is no such demo.{did_you_mean(which, DEMOS)} There is {listing(DEMOS)}."
        )
    found = DEMOS[which](out)
    show(found.folder, as_json=False)
    print()
    for line in found.closing:
        print(line)


if __name__ == "__main__":
    main()
