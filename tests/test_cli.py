"""The command line: its help, its flags, its exit codes, and what each command prints."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import luthier as package
from command import luthier
from luthier import cli
from luthier.errors import Interrupted, WorldError
from luthier.folder.scorecard import Scorecard
from luthier.plan.plan import Plan, fields, flag, read_plan
from luthier.plan.search import SearchPlan
from luthier.records import sealed
from tiny import messages_csv

HEAVY = ("torch", "transformers", "pyarrow", "sklearn", "matplotlib", "numpy", "scipy")

SCORECARD: dict[str, Any] = {
    "metric": "accuracy",
    "chosen": "tuned",
    "test": {"accuracy": {"value": 0.9, "low": 0.85, "high": 0.95}},
    "candidates": [
        {"name": "probe", "valid": 0.81, "test": 0.8},
        {"name": "tuned", "valid": 0.91, "test": 0.9},
    ],
    "verdict": {"ship": True, "words": "Ship it."},
    "worth": {"words": "Worth its time."},
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> list[Plan]:
    """The plans of the runs that are asked for; none is run, and all end with SCORECARD."""
    plans: list[Plan] = []

    class Folder:
        path = Path("runs/x")
        scorecard = Scorecard(SCORECARD)

    def run_plan(plan: Plan, quiet: bool = False) -> Folder:
        plans.append(plan)
        return Folder()

    monkeypatch.setattr("luthier.session.runs.run_plan", run_plan)
    return plans


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, bert: Path) -> Path:
    """A run of the command line itself, as far as the probe."""
    folder = tmp_path_factory.mktemp("cli")
    data = messages_csv(folder / "messages.csv", 60)
    words = (
        "--pooling",
        "mean",
        "--method",
        "probe",
        "--precision",
        "fp32",
        "--threads",
        1,
        "--out",
        folder / "run",
    )

    ended = luthier("tune", data, "--model", bert, *words, "--json")

    assert ended.code == 0, ended.err
    assert json.loads(ended.out.splitlines()[-1])["run"] == str(folder / "run")
    return folder / "run"


# Help


def test_help_lists_the_commands_each_with_its_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    ended = luthier("--help")

    assert (ended.code, ended.err) == (0, "")
    for line in (
        "adapt        Let a model learn from the texts or images of DATA without labels, before it is tuned or for itself: tune",
        "chat         Talk to a tuned language model, which keeps the conversation.",
        "compare      Whether RUN_A is better than RUN_B, worse, or no different as far as the same test rows can tell.",
        "demo         The main job on embedded messages and a packaged model, offline: about a minute for text, ten at the most",
        "plan         What tune would do with DATA, how long it would take and how much memory: trains nothing, writes nothing.",
        "predict      One JSON line per row, in row order, with calibrated probabilities.",
        "report       Write report.html anew from the records of a run or a search.",
        "search       Try settings of a plan by grid, random or Bayesian search, and end with the best, tested, in OUT/best.",
        "tune         Adapt a pre-trained model to the examples in DATA: the main job.",
        "verdict      Exit code 0: ship. Exit code 3: not better than its baseline beyond noise, or a condition fails.",
    ):
        assert line in ended.out


def test_help_of_tune_lists_a_flag_for_every_field_with_the_fields_own_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "600")
    lines = [line.strip("│ ") for line in luthier("tune", "--help").out.splitlines()]
    told = {line.split()[0]: line for line in lines if line}

    for key, info in fields().items():
        name = "DATA" if key == "data.path" else flag(key)
        assert " ".join(str(info.description).split()) in told[name]
    assert {"--plan", "--set", "--json", "--quiet"} <= told.keys()


def test_help_tells_choices_and_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "600")
    told = luthier("tune", "--help").out

    assert "auto: probe and full, of few rows probe and few-shot, and the better one is kept. [auto]" in told
    assert "to zero, or not at all. One of linear, cosine, constant. [linear]" in told
    assert "runs/<name of the data>-<hash of the plan>." in told
    assert "Share of the rows split off for the test when no file is given for it. [0.2]" in told


@pytest.mark.parametrize(
    "code",
    [
        "import luthier",
        "import luthier.cli as c; sys.argv = ['luthier', '--help']; end(c.main)",
        "import luthier.cli as c; sys.argv = ['luthier', 'tune', '--help']; end(c.main)",
        "import luthier.cli as c; sys.argv = ['luthier', 'tune', '--lr', 'fast']; end(c.main)",
        "import luthier.session.searches, luthier.session.resuming",
    ],
    ids=[
        "import luthier",
        "luthier --help",
        "luthier tune --help",
        "a wrong setting",
        "a search's own process",
    ],
)
def test_nothing_heavy_is_imported_until_it_is_needed(code: str) -> None:
    script = f"""
import sys
def end(main):
    try:
        main()
    except SystemExit:
        pass
{code}
print([name for name in {HEAVY} if name in sys.modules])
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "[]"


def test_the_version_is_that_of_the_package() -> None:
    from importlib.metadata import version

    assert luthier("--version").out == version("luthier") + "\n"


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Plan, SearchPlan]]:
    """The searches that are asked for; none is run."""
    asked_for: list[tuple[Plan, SearchPlan]] = []

    def search_plan(plan: Plan, asked: SearchPlan, quiet: bool = False) -> Any:
        asked_for.append((plan, asked))

        class Found:
            def to_json(self) -> dict[str, Any]:
                return {"search": "runs/s"}

        return Found()

    monkeypatch.setattr("luthier.session.searches.search_plan", search_plan)
    return asked_for


def test_search_takes_the_plans_flags_and_its_own(searches: list[tuple[Plan, SearchPlan]]) -> None:
    ended = luthier("search", "x.csv", "--sampler", "random", "--trials", 12, "--vary", "train.lr=1e-5..1e-3 log",
                    "--vary", "train.batch_rows=8,16", "--prune", "none", "--method", "top:2", "--json")  # fmt: skip
    assert (ended.code, json.loads(ended.out)) == (0, {"search": "runs/s"})
    plan, asked = searches[0]
    assert plan.train.method == "top:2"
    assert (asked.sampler, asked.trials, asked.prune) == ("random", 12, "none")
    assert asked.vary == ("train.lr=1e-5..1e-3 log", "train.batch_rows=8,16")


def test_search_reads_the_section_of_a_plan_file_and_flags_win(
    here: Path, searches: list[tuple[Plan, SearchPlan]]
) -> None:
    (here / "s.toml").write_text(
        '[data]\npath = "x.csv"\n[train]\nepochs = 2\n[search]\nsampler = "grid"\ntrials = 5\n'
        '[search.vary]\n"train.lr" = [1e-4, 1e-3]\n'
    )
    assert luthier("search", "--plan", "s.toml", "--trials", 3, "--json").code == 0
    plan, asked = searches[0]
    assert (plan.data.path, plan.train.epochs) == ("x.csv", 2)
    assert (asked.sampler, asked.trials, asked.vary) == ("grid", 3, ("train.lr=0.0001,0.001",))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--sampler full", "search.sampler: 'full' is not a choice."),
        ("--trials none", "search.trials: 'none' does not fit. Expected a whole number."),
        ("--on cluster", "search.on: 'cluster' does not fit. Expected ray or ray://host:port."),
    ],
)
def test_a_search_that_cannot_be_ends_with_2(words: str, told: str, searches: list[Any]) -> None:
    ended = luthier("search", "x.csv", *words.split())
    assert ended.code == 2
    assert told in ended.err
    assert searches == []


def test_values_that_cannot_be_searched_end_it_with_2_and_nothing_written(here: Path) -> None:
    messages_csv(here / "m.csv", 20)
    ended = luthier("search", "m.csv", "--vary", "train.lr=1e-5..2", "--vary", "run.seed=1,2")
    assert ended.code == 2
    assert "train.lr: '2' does not fit" in ended.err
    assert "the luckiest seed is no finding" in ended.err
    assert [path.name for path in here.iterdir()] == ["m.csv"]


# What cannot be understood


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            "tune x.csv --bacth-rows 3",
            "Unknown option: --bacth-rows. Did you mean --batch-rows? `luthier tune --help` lists what there is.",
        ),
        (
            "tunne x.csv",
            'Unknown command "tunne". Did you mean "tune"? '
            "Available commands: plan, check, suggest, tune, adapt, search, resume, demo, ... "
            "`luthier --help` lists what there is.",
        ),
        (
            "tune my reviews.csv",
            "'reviews.csv': more than `luthier tune` takes. Put a name with blanks between quotes. "
            "`luthier tune --help` lists what there is.",
        ),
        (
            "tune x.csv --text",
            'Command "tune" parameter --text requires an argument. `luthier tune --help` lists what there is.',
        ),
        (
            "predict",
            'Command "predict" parameter RUN requires an argument. `luthier predict --help` lists what there is.',
        ),
        (
            "tune",
            "No data was named. Give the file with your examples: luthier tune reviews.csv",
        ),
        (
            "tune x.csv --text body --label body",
            "data.text and data.label both name the column 'body'. Name two columns.",
        ),
        (
            "tune x.csv --lr -1 --metric acc --budget soon",
            "task.metric: 'acc' is not a choice. Expected 'auto', 'accuracy', 'macro_f1', 'f1', 'exact_match', "
            "'spearman', 'pearson', 'r2', 'mrr', 'recall_at_10', 'contains', 'regex_match', 'number_match', 'json_match', "
            "'rouge_l', 'chrf', 'loss', 'perplexity' or 'reward_accuracy'.\n"
            "train.lr: '-1' does not fit. Expected a number greater than 0 or 'find'.\n"
            "run.budget: 'soon' does not fit. Expected a number above zero with s, m or h, as in 90s, 10m or 1.5h.",
        ),
        (
            "tune x.csv --set trian.lr=1 --set epoch=3",
            "There is no setting 'trian.lr'. Did you mean 'train.lr'? `luthier tune --help` lists them all.\n"
            "There is no setting 'epoch'. Did you mean 'epochs'? `luthier tune --help` lists them all.",
        ),
        (
            "tune x.csv --set lr",
            "--set 'lr': expected section.key=value, as in --set train.lr=1e-4.",
        ),
        (
            "tune --plan nowhere.toml",
            "nowhere.toml: there is no such plan file. Every run's folder holds one: plan.toml.",
        ),
    ],
)  # fmt: skip
def test_a_wrong_command_is_told_and_ends_with_2(words: str, told: str, here: Path) -> None:
    ended = luthier(*words.split())

    assert (ended.code, ended.err, ended.out) == (2, told + "\n", "")
    assert list(here.iterdir()) == []


def test_a_misspelt_key_of_a_plan_file_is_answered_with_the_nearest_name(here: Path) -> None:
    Path("plan.toml").write_text('[data]\npath = "x.csv"\nlable = "topic"\n')

    ended = luthier("tune", "--plan", "plan.toml")

    told = (
        "There is no setting 'data.lable'. Did you mean 'data.label'? `luthier tune --help` lists them all.\n"
    )
    assert (ended.code, ended.err) == (2, told)


# Where a setting comes from


def test_every_flag_sets_its_field(
    planned: list[Plan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from plan.test_plan import EVERYTHING, typed

    monkeypatch.chdir(tmp_path)
    earlier = Path(EVERYTHING["data.continues"])
    earlier.mkdir(parents=True)
    (earlier / "plan.toml").write_text('[data]\npath = "rows.csv"\n')
    words = []
    for key, value in EVERYTHING.items():
        words += [typed(value)] if key == "data.path" else [flag(key), typed(value)]

    assert luthier("tune", *words).code == 0
    assert planned == [Plan.build(EVERYTHING)]


def test_adapt_is_short_for_a_task_of_tune(planned: list[Plan]) -> None:
    assert luthier("adapt", "x.txt", "--model", "m", "--epochs", 2).code == 0
    assert luthier("tune", "x.txt", "--model", "m", "--epochs", 2, "--task", "adaptation").code == 0

    assert planned[0] == planned[1]


def test_adapt_refuses_another_task(planned: list[Plan]) -> None:
    ended = luthier("adapt", "x.txt", "--task", "chat")

    assert (ended.code, ended.err) == (
        2, "--task chat: `luthier adapt` learns without labels. `luthier tune` takes every task.\n"
    )  # fmt: skip
    assert planned == []


def test_set_wins_over_flags_and_flags_win_over_the_plan_file(here: Path, planned: list[Plan]) -> None:
    Path("plan.toml").write_text(
        '[data]\npath = "x.csv"\ntext = "body"\n[train]\nlr = 1e-3\nepochs = 1\n[run]\nseed = 1\n'
    )

    luthier(
        "tune",
        "y.csv",
        "--plan",
        "plan.toml",
        "--lr",
        "2e-3",
        "--epochs",
        2,
        "--set",
        "lr=3e-3",
        "--set",
        "train.lr=4e-3",
    )

    plan = planned[0]
    assert (plan.data.path, plan.data.text) == ("y.csv", "body")
    assert (plan.train.lr, plan.train.epochs, plan.run.seed) == (4e-3, 2, 1)


def test_columns_by_role_win_over_those_of_the_plan_file_role_by_role(
    here: Path, planned: list[Plan]
) -> None:
    Path("plan.toml").write_text('[data]\ntext = "body"\n[data.columns]\naudio = "path"\nspeaker = "who"\n')

    luthier("tune", "y.csv", "--plan", "plan.toml", "--column", "text=title", "--column", "audio=sound")

    assert planned[0].settings()["data.columns"] == {"audio": "sound", "speaker": "who"}
    assert planned[0].data.text == "title"


def test_a_flag_and_a_column_by_role_may_not_contradict_each_other(here: Path) -> None:
    ended = luthier("tune", "y.csv", "--text", "body", "--column", "text=title")

    assert (ended.code, ended.err) == (
        2,
        "data.text and data.columns name two columns, 'body' and 'title'. Name one.\n",
    )


@pytest.mark.parametrize("command", [("tune", "y.csv"), ("predict", "run", "y.csv")])
def test_a_column_without_its_role_is_refused(command: tuple[str, ...]) -> None:
    ended = luthier(*command, "--column", "path")

    assert (ended.code, ended.err) == (
        2,
        "--column path: expected columns by their role, as in audio=path.\n",
    )


def test_the_plan_file_of_a_run_is_the_whole_plan_and_leads_to_the_same_run(run: Path) -> None:
    plan = Plan.build(read_plan(run / "plan.toml"))

    ended = luthier("tune", "--plan", run / "plan.toml", "--out", run)

    assert tomllib.loads((run / "plan.toml").read_text()) == tomllib.loads(plan.to_toml())
    assert ended.code == 0
    assert ended.err.endswith(
        f"  {run} holds the finished run of this plan, data and model: nothing is left to do.\n"
    )


# What tune prints


def test_tune_ends_with_candidates_and_verdict(planned: list[Plan]) -> None:
    assert luthier("tune", "x.csv").out == (
        "\n"
        "  probe      accuracy 0.810 on validation, 0.800 on test\n"
        "  tuned      accuracy 0.910 on validation, 0.900 on test  <- kept\n"
        "\n"
        "Ship it.\n"
        "Worth its time.\n"
        "\n"
        "runs/x/report.html   the report\n"
        "runs/x/model         the model\n"
    )


def test_json_is_the_last_line_of_standard_output(planned: list[Plan]) -> None:
    ended = luthier("tune", "x.csv", "--json")
    assert json.loads(ended.out.splitlines()[-1]) == {"run": "runs/x", **SCORECARD}


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (WorldError("the disk is full"), 1, "the disk is full\n"),
        (
            Interrupted("Interrupted. run/model holds the best"),
            130,
            "Interrupted. run/model holds the best\n",
        ),
        (KeyboardInterrupt(), 130, "Interrupted.\n"),
        (
            PermissionError(13, "Permission denied", "run/plan.toml"),
            1,
            "run/plan.toml: this user may not open it. Ask its owner, or copy it to a place of your own.\n",
        ),
    ],
)
def test_errors_end_with_their_exit_code(
    error: BaseException, code: int, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(plan: Plan, quiet: bool = False) -> None:
        raise error

    monkeypatch.setattr("luthier.session.runs.run_plan", fails)
    ended = luthier("tune", "x.csv")
    assert (ended.code, ended.err) == (code, told)


def test_a_reader_that_leaves_early_is_no_error(
    run: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("new.csv").write_text("text\nA refund\n")
    reading, writing = os.pipe()
    os.close(reading)

    monkeypatch.setattr(sys, "argv", ["luthier", "predict", str(run), "new.csv"])
    with open(writing, "w") as nobody:
        monkeypatch.setattr(sys, "stdout", nobody)
        with pytest.raises(SystemExit) as end:
            cli.main()

    assert end.value.code == 0


# predict


def answers(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def test_predict_writes_a_line_per_row_in_their_order(run: Path, here: Path) -> None:
    texts = ["The parcel is with the courier", "Lovely, thanks!", "A refund please"]
    Path("new.csv").write_text("text\n" + "".join(f'"{text}"\n' for text in texts))

    ended = luthier("predict", run, "new.csv")

    assert (ended.code, ended.err) == (0, "")
    assert answers(ended.out) == package.load(run).predict(texts).to_json()
    assert [answer["row"] for answer in answers(ended.out)] == [0, 1, 2]


def test_predict_takes_the_model_folder_alone_and_any_column_encoding_and_delimiter(
    run: Path, here: Path
) -> None:
    Path("new.csv").write_bytes("body;n\nschön, thanks;1\n".encode("cp1250"))

    ended = luthier(
        "predict",
        run / "model",
        "new.csv",
        "--text",
        "body",
        "--encoding",
        "cp1250",
        "--delimiter",
        ";",
        "--out",
        "x/y.jsonl",
    )

    assert (ended.code, ended.err, ended.out) == (0, "", "")
    assert answers(Path("x/y.jsonl").read_text()) == package.load(run).predict(["schön, thanks"]).to_json()


def test_predict_without_the_runs_text_column_offers_the_nearest(run: Path, here: Path) -> None:
    Path("new.csv").write_text("texts,n\nA refund,1\n")

    ended = luthier("predict", run, "new.csv", "--out", "answers.jsonl")

    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        "new.csv: there is no column 'text'. Did you mean 'texts'? Columns: 'texts', 'n'. "
        "Name the one that holds the text with --text COLUMN.\n"
    )
    assert not Path("answers.jsonl").exists()


def test_predict_on_a_column_that_holds_no_texts_is_refused(run: Path, here: Path) -> None:
    new = here / "new.jsonl"
    new.write_text('{"text": ["a", "list"]}\n{"text": ["another"]}\n')

    ended = luthier("predict", run, new)

    assert (ended.code, ended.out) == (2, "")
    assert (
        ended.err
        == f"{new}: column 'text' holds lists and cannot be the text. Name another with --text COLUMN.\n"
    )


def test_predict_on_what_is_no_run_is_refused(here: Path) -> None:
    Path("folder").mkdir()

    missing, empty = luthier("predict", "nowhere", "new.csv"), luthier("predict", "folder", "new.csv")

    assert (missing.code, empty.code) == (2, 2)
    assert missing.err == (
        "nowhere: there is no such folder, so it is not a model that luthier saved. `luthier tune` makes one.\n"
    )
    assert empty.err == (
        "folder: holds no model/luthier.json, so it is not a model that luthier saved. `luthier tune` makes one.\n"
    )


# verdict and report


@pytest.mark.parametrize(("ship", "code"), [(True, 0), (False, 3)])
def test_a_verdict_is_an_exit_code_and_its_words(ship: bool, code: int, here: Path) -> None:
    words = "The tuned model is better." if ship else "Do not ship it yet."
    Path("run").mkdir()
    test = {"accuracy": {"value": 0.9, "low": 0.8, "high": 1.0}}
    record = {
        "metric": "accuracy",
        "test": test,
        "chosen": "tuned",
        "verdict": {"ship": ship, "words": words},
    }
    Path("run/scorecard.json").write_text(json.dumps(sealed(record)))

    ended = luthier("verdict", "run")

    assert (ended.code, ended.out, ended.err) == (code, words + "\n", "")


def test_a_scorecard_without_its_keys_is_refused(here: Path) -> None:
    Path("run").mkdir()
    Path("run/scorecard.json").write_text("{}")
    ended = luthier("verdict", "run")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        "run/scorecard.json: lacks 'metric', 'test', 'chosen', 'verdict'. "
        "Delete it and give the command of the run again.\n"
    )


def test_a_verdict_on_what_is_no_finished_run_is_refused(here: Path) -> None:
    Path("begun").mkdir()
    Path("begun/plan.toml").touch()

    begun, missing = luthier("verdict", "begun"), luthier("verdict", "nowhere")

    assert (begun.code, missing.code) == (2, 2)
    assert (
        begun.err
        == "begun: is not finished: it holds no scorecard.json. `luthier tune` writes it at its end.\n"
    )
    assert missing.err == (
        "nowhere: is not the folder of a run: it holds no scorecard.json. `luthier tune` writes it at its end.\n"
    )


def test_a_report_is_written_anew_to_the_same_bytes(run: Path) -> None:
    before = (run / "report.html").read_bytes()
    (run / "report.html").unlink()

    ended = luthier("report", run)

    assert (ended.code, ended.out) == (0, f"{run}/report.html\n")
    assert (run / "report.html").read_bytes() == before


def test_a_report_on_what_is_no_run_is_refused(here: Path) -> None:
    ended = luthier("report", "nowhere")
    told = "nowhere: there is no such folder. Give the folder of a run; `luthier tune DATA` makes one.\n"
    assert (ended.code, ended.err) == (2, told)


def test_the_demo_is_short_and_tells_how_long_it_takes_here(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Plan, float]] = []

    def run_plan(plan: Plan, quiet: bool = False, foretold_from: float = 60.0) -> None:
        asked.append((plan, foretold_from))
        raise KeyboardInterrupt

    monkeypatch.setattr("luthier.session.demos.run_plan", run_plan)

    assert luthier("demo").code == 130
    ((plan, foretold_from),) = asked
    assert foretold_from == 0.0, "however short it is"
    assert (plan.train.epochs, plan.train.method) == (3, "auto")
