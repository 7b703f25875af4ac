"""The report's sections on how the model was made: training, cost, provenance; and how to use it."""

from luthier.folder.scorecard_records import Cost, RateTest
from luthier.report import numbers, sentences, usage
from luthier.report.charts import rate_curve, smooth, time_bars, training_curves
from luthier.report.markup import (
    Column,
    Html,
    beside,
    code,
    details,
    facts,
    join,
    photo,
    picture,
    table,
    table_or_details,
    tag,
)
from luthier.report.records import Records

LOSSES = 16
"""The most steps of which the loss is told as a number."""


def training(records: Records) -> Html:
    parts = [facts((name, counted(value)) for name, value in sentences.settings(records.tuning))]
    free = records.scorecard.unlabelled
    parts += [tag("p", words) for words in (free.sentences if free is not None else [])]
    if records.steps:
        metric = numbers.shown(records.scorecard.metric)
        drawn = picture(
            training_curves(records.steps, records.validations, metric),
            "Loss of each step and smoothed; diamonds are validations, the filled dot is the best one.",
        )
        parts.append(beside(drawn, join([validations(records), losses(records)])))
    tuning = records.scorecard.tuning
    test = None if tuning is None else tuning.rate_test
    if test is not None and test.rates:
        parts.append(
            beside(
                picture(rate_curve(test), "Range test of the learning rate: the line is the rate taken."),
                rate_table(test),
            )
        )
    if records.augmented is not None and records.steps:
        parts.append(
            picture(
                photo(records.augmented, "Training images, varied"),
                "Training images, one a line: as the model reads them without training, then as they were varied in the first "
                "epochs.",
            )
        )
    return join(parts)


def losses(records: Records) -> Html:
    """The smoothed loss at some of the steps, for who does not see the curve."""
    points = [
        (float(one.at), loss) for one in records.steps if (loss := numbers.number(one.loss)) is not None
    ]
    if not points:
        return Html("")
    last = len(points) - 1
    shown = sorted({round(part * last / (LOSSES - 1)) for part in range(LOSSES)})
    rates = {float(one.at): one.lr for one in records.steps}
    columns = [Column(title, number=True) for title in ("Step", "Loss, smoothed", "Learning rate")]
    rows = [
        (numbers.count(at), numbers.decimals(loss), numbers.three_digits(rates[at]))
        for at, loss in (smooth(points)[place] for place in shown)
    ]
    return details("Loss and rate in numbers", table("Some of the steps", columns, rows))


def counted(value: object) -> str:
    """The value of a setting of training; all of its whole numbers are counts.

    >>> counted(10845712), counted(63901482.0), counted(0.0001)
    ('10,845,712', '63,901,482', '0.0001')
    """
    whole = type(value) is int or (type(value) is float and value.is_integer())
    return numbers.count(value) if whole else numbers.setting(value)


def rate_table(test: RateTest) -> Html:
    columns = [Column("Learning rate", number=True), Column("Loss", number=True)]
    rows = [(f"{rate:.1e}", numbers.three(loss)) for rate, loss in zip(test.rates, test.losses, strict=True)]
    return table_or_details("Range test", columns, rows)


def validations(records: Records) -> Html:
    if not records.validations:
        return Html("")
    metric = numbers.shown(records.validations[0].metric or records.scorecard.metric)
    columns = [
        *[Column(title, number=True) for title in ("Step", "Epoch", metric.title, "Loss")],
        Column("Note"),
    ]
    rows = [
        (
            numbers.count(one.step),
            f"{epoch:.2f}" if (epoch := numbers.number(one.epoch)) is not None else numbers.NOTHING,
            metric.show(one.score),
            numbers.three(one.loss),
            "best so far" if one.best else numbers.NOTHING,
        )
        for one in records.validations
    ]
    return table_or_details("Validations", columns, rows)


def cost(records: Records) -> Html:
    spent = records.scorecard.cost or Cost()
    held = (spent.seconds or {}).items()
    parts = {str(name): value for name, seconds in held if (value := numbers.number(seconds)) is not None}
    total = parts.pop("total", None) or sum(parts.values())
    pairs = [
        ("Whole run", numbers.duration(total) if total else numbers.NOTHING),
        ("Training speed", f"{numbers.count(spent.tokens_per_second)} tokens/s"),
        ("Tokens trained on", numbers.count(spent.tokens)),
        ("Peak memory", numbers.memory(spent.peak_bytes)),
    ]
    made = (
        [facts(pair for pair in pairs if not pair[1].startswith(numbers.NOTHING))]
        if spent.model_fields_set
        else []
    )
    if parts and max(parts.values()) > 0:
        rows = [
            (name, numbers.duration(value), numbers.share(value / total)) for name, value in parts.items()
        ]
        columns = [Column("Part"), Column("Time", number=True), Column("Share", number=True)]
        listed = table("Time of each part", columns, rows)
        made.append(beside(picture(time_bars(list(parts.items())), "Where the time went."), listed))
    return join(made)


def provenance(records: Records) -> Html:
    scorecard = records.scorecard
    told: dict[str, object] = {
        "Task": scorecard.task,
        "Model": scorecard.model,
        "Method": scorecard.method,
        "Seed": scorecard.seed,
    }
    told |= {key.capitalize(): value for key, value in (scorecard.machine or {}).items()}
    told["Fingerprint of the data"] = records.table.fingerprint if records.table else None
    shown = [(name, value) for name, value in told.items() if value is not None]
    versions = [(name, numbers.setting(version)) for name, version in (scorecard.versions or {}).items()]
    listed = table("Versions", [Column("Part"), Column("Version")], versions) if versions else Html("")
    names = facts((name, tag("code", numbers.setting(value))) for name, value in shown)
    return beside(join([names, the_plan(records.plan) if records.plan else ""]), listed)


def the_plan(plan: str) -> Html:
    again = tag("p", "The same run again: ", tag("code", "luthier tune --plan plan.toml"))
    return join([again, details("The whole plan", code(plan))])


def use(records: Records) -> Html:
    if records.scorecard.judged is not None:
        return Html("")  # a model that was tuned elsewhere is used as before
    plain = usage.without_luthier(records.scorecard, "path/to/run/model")
    library = records.scorecard.model_format
    ours = join(
        [
            tag("h3", "With luthier"),
            code(usage.with_luthier("path/to/run", records.scorecard)),
            tag(
                "p",
                "Or a whole file at once: ",
                tag(
                    "code",
                    f"luthier predict path/to/run {usage.rows_of(records.scorecard)} --out answers.jsonl",
                ),
            ),
            tag("p", "Or talk to it: ", tag("code", "luthier chat path/to/run"))
            if usage.talks(records.scorecard)
            else "",
        ]
    )
    return beside(ours, join([tag("h3", f"With {library} alone"), code(plain)]) if plain else Html(""))
