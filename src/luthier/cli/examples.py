"""The commands that look at examples and learn from them."""

import inspect
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from luthier.cli.app import app
from luthier.cli.planned import described, option, planned
from luthier.errors import PlanError, did_you_mean, listing
from luthier.plan.plan import Plan
from luthier.plan.search import SECTION, SearchPlan
from luthier.scores.decimals import decimals
from luthier.terminal import json_line, plain

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


def suggest(plan: Plan, as_json: bool, quiet: bool, n: str | None) -> None:
    """Which rows of an unlabelled file to label next, given those of DATA: written as a CSV to fill in, and as tasks for
    Label Studio, beside the file or in --out."""
    from luthier.data.annotations.suggested import FROM
    from luthier.session.runs import suggest_for

    if plan.data.unlabelled is None:
        raise PlanError("--unlabelled: name the file of rows without labels, as in --unlabelled more.csv.")
    if plan.data.label_names:
        raise PlanError(
            "data.label_names: no effect here, as labels are those that DATA has. Leave it out; where nothing is labelled yet, "
            "DATA may be the same file as --unlabelled, with an empty column 'label'."
        )
    if n is not None and not (n.isdigit() and int(n) > 0):
        raise PlanError(f"-n {n}: expected how many rows to suggest, as in -n 50.")
    found = suggest_for(plan, int(n or 50), quiet)
    if as_json:
        print(json_line(found.to_json()))
        return
    for row in found.rows[:5]:
        content = " | ".join(str(value) for key, value in row.items() if key not in FROM)
        print(f"  {row['file']}, line {row['row']}: {' '.join(content.split())[:90]}")
    if len(found.rows) > 5:
        print(f"  ... and {len(found.rows) - 5:,} more; each is {found.why}.")
    print(f"\n{found.csv}   to fill in\n{found.tasks}   tasks for Label Studio")


app.command(
    planned(suggest, (option("n", "-n", str, "How many rows to suggest. [50]"),)),
    name="suggest",
)


def tune(plan: Plan, as_json: bool, quiet: bool, seeds: str | None) -> None:
    """Adapt a pre-trained model to the examples in DATA: the main job."""
    from luthier.session.out import refuse_place

    refuse_place(plan.run.out)  # before what computes is imported, which takes seconds
    from luthier.session.runs import run_plan, run_seeds

    if seeds is not None and not (seeds.isdigit() and int(seeds) > 0):
        raise PlanError(f"--seeds {seeds}: expected how many seeds to run, as in --seeds 5.")
    count = int(seeds or 1)
    show(run_plan(plan, quiet) if count == 1 else run_seeds(plan, count, quiet), as_json)


app.command(
    planned(
        tune,
        (
            option("seeds", "--seeds", str, "On how many seeds to tune, from --seed on, over the same split: mean and spread are "
                   "told, and the best by validation is kept."),
        ),
    ),
    name="tune",
)  # fmt: skip


READING = "adaptation"
"""The task that `luthier adapt` is short for."""


@app.command(name="adapt")
@planned
def adapt(plan: Plan, as_json: bool, quiet: bool) -> None:
    """Let a model learn from the texts or images of DATA without labels, before it is tuned or for itself: tune --task
    adaptation."""
    from luthier.session.out import refuse_place

    refuse_place(plan.run.out)
    from luthier.session.runs import run_plan

    if plan.task.name not in ("auto", READING):
        raise PlanError(
            f"--task {plan.task.name}: `luthier adapt` learns without labels. `luthier tune` takes every task."
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

    scorecard = Scorecard.read(found.path)
    print(search_words(found.told, scorecard.card))
    if scorecard.looks_words:
        print(scorecard.looks_words)
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
    from luthier.report.closing_words import closing_words
    from luthier.scores.validated import on_validation, says_something

    scorecard = folder.scorecard
    if as_json:
        print(json_line({"run": str(folder.path), **scorecard.record}))
        return
    print()
    width = max(10, *(len(candidate["name"]) for candidate in scorecard.record["candidates"]))
    for candidate in scorecard.record["candidates"]:
        mark = "  <- kept" if candidate["name"] == scorecard.chosen else ""
        where = scorecard.card.valid_from
        scores = [
            f"{decimals(candidate[part])} {words}"
            for part, words in (("valid", on_validation(where)), ("test", "on test"))
            if candidate[part] is not None and (part == "test" or says_something(where))
        ]
        told = f"{scorecard.metric} {', '.join(scores)}" if scores else "not measured"
        print(f"  {candidate['name']:<{width}} {told}{mark}")
    print(f"\n{scorecard.words}")
    print(scorecard.record["worth"]["words"])
    if scorecard.looks_words:
        print(scorecard.looks_words)
    for words in closing_words(scorecard.card):
        print(plain(words))
    print(f"\n{folder.path}/report.html   the report\n{folder.path}/model         the model")


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
