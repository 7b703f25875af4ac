"""The command over a model that was tuned elsewhere."""

import inspect
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from luthier.cli.app import app
from luthier.cli.planned import described, option
from luthier.errors import PlanError
from luthier.plan.asked import ASKED
from luthier.plan.named_columns import COLUMNS, columns_by_role
from luthier.plan.plan import Plan, fields, flag
from luthier.scores.decimals import decimals
from luthier.terminal import json_line, plain

HELP = {
    "data.group": "Column whose equal values belong together (a user, a document): they are in the same fold.",
    "task.name": "What the model does, where that does not follow from its folder and the rows.",
    "run.out": "Folder of the verdict. [runs/judge-<name of the data>-<hash>]",
    "run.seed": "Seed of the folds and the intervals. [0]",
}
"""Their help, where it is not that of a run."""
TRAIN = option(
    "train",
    "--train",
    str,
    "File whose rows baselines and temperature learn from. Without it they are cross-fitted on DATA, in 5 "
    "folds.",
)
BASE = option(
    "base",
    "--base",
    str,
    "The model that this one was made of, to be compared with; an adapter is added to it.",
)
LABEL_NAMES = option(
    "label_names",
    "--label-names",
    str,
    "What the model's outputs are called, in its order, as in negative,neutral,positive.",
)
OWN = (TRAIN, BASE, LABEL_NAMES)


def judging() -> Any:
    """The command, with the settings above as its flags."""
    names = {key.replace(".", "_"): key for key in ASKED}
    parameters = [
        positional("model", "A folder of transformers, sentence-transformers or PEFT, a GGUF file, a run, or a hub name."),
        positional("data", str(fields()["data.path"].description)),
        *OWN,
        *(option(name, flag(key), list[str] if key == COLUMNS else str, help_of(key)) for name, key in names.items()),
        option("json", "--json", bool, "Last line of standard output: the scorecard as one JSON object."),
        option("quiet", "--quiet", bool, "No progress."),
    ]  # fmt: skip

    def command(model: str, data: str, **given: Any) -> None:
        settings = {
            names[name]: value for name, value in given.items() if name in names and value is not None
        }
        if COLUMNS in settings:
            settings[COLUMNS] = named_columns(settings[COLUMNS])
        plan = Plan.build({**settings, "data.path": data, "model.name": model})
        own = {one.name: given.get(one.name) for one in OWN}
        judge(plan, own, as_json=bool(given.get("json")), quiet=bool(given.get("quiet")))

    command.__annotations__ = {}  # Those of the signature count, which have the help.
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__name__, command.__doc__ = "judge", judge.__doc__
    return command


def positional(name: str, help: str) -> inspect.Parameter:
    """An argument that is given by its place."""
    return inspect.Parameter(
        name, inspect.Parameter.POSITIONAL_ONLY, annotation=Annotated[str, Parameter(help=help)]
    )


def help_of(key: str) -> str:
    """The help of a setting, as it is of rows that are only asked."""
    return HELP.get(key) or described(fields()[key])


def named_columns(named: list[str]) -> dict[str, str]:
    """Columns by role, of `role=NAME` each. Raises PlanError for what names none."""
    try:
        return columns_by_role(named)
    except ValueError as error:
        raise PlanError(f"--column {' '.join(named)}: expected {error}.") from None


def judge(plan: Plan, own: dict[str, str | None], as_json: bool, quiet: bool) -> None:
    """The whole verdict for a MODEL that was tuned elsewhere, on every row of DATA: its scores as its own library counts them,
    compared with cheap baselines. Nothing else is trained. Exit code 0 whatever it finds; `luthier verdict RUN` then tells."""
    from luthier.plan.names_alone import names_in
    from luthier.prepare.judged import Request
    from luthier.session.judging import judge_model

    names = () if own["label_names"] is None else names_in(own["label_names"])
    found = judge_model(plan, Request(own["train"], own["base"], tuple(names)), quiet)
    if as_json:
        print(json_line({"run": str(found.path), **found.scorecard.record}))
        return
    show(found.path, found.scorecard)


def show(path: Path, scorecard: Any) -> None:
    """What a judgement ends with."""
    from luthier.report.closing_words import closing_words

    print()
    width = max(10, *(len(candidate["name"]) for candidate in scorecard.record["candidates"]))
    for candidate in scorecard.record["candidates"]:
        mark = "  <- judged" if candidate["name"] == scorecard.chosen else ""
        print(f"  {candidate['name']:<{width}} {scorecard.metric} {decimals(candidate['test'])}{mark}")
    print(f"\n{scorecard.words}")
    if scorecard.looks_words:
        print(scorecard.looks_words)
    for words in closing_words(scorecard.card):
        print(plain(words))
    print(f"\n{path}/report.html   the report")


app.command(judging(), name="judge")
