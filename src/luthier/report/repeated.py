"""What the scores rest on beside the number of rows: what rows share, and how the same plan did on other seeds."""

from luthier.folder.scorecard_records import ScorecardRecord, Spread
from luthier.report import numbers
from luthier.report.markup import Column, Html, join, table, tag
from luthier.scores.validated import CROSSED, best_by, says_something


def cluster_words(scorecard: ScorecardRecord) -> str:
    """By what the test rows belong together, and how many they then are; empty where each stands by itself."""
    found = scorecard.clusters
    if found is None:
        return ""
    rows = (scorecard.rows or {}).get("test")
    subject = "The test rows" if rows is None else f"The {numbers.count(rows, 'test row')}"
    by = ", ".join(found.by) or "what they share"
    return (
        f"{subject} fall into {numbers.count(found.test, 'cluster')} ({by}). Whole clusters are drawn for every interval, as "
        "rows that share something tend to be right or wrong together."
    )


def seed_words(scorecard: ScorecardRecord) -> str:
    """How far the score depends on the seed; empty where there is one."""
    found = scorecard.seeds
    if found is None:
        return ""
    metric, values = numbers.shown(scorecard.metric), found.test.values
    mean = metric.show(found.test.mean)
    told = f"Over {numbers.count(found.n, 'seed')} the {metric.inside} on the test rows is {mean} on average"
    if found.test.sd is not None:
        told += f", with a standard deviation of {metric.show_difference(found.test.sd, signed=False)}"
    if values:
        told += f", from {metric.show_range(min(values), max(values))}"
    return told + (
        "." if found.kept is None else f". Seed {found.kept}, {best_by(scorecard.valid_from)}, is kept."
    )


def over_seeds(scorecard: ScorecardRecord) -> Html:
    """The score of each seed."""
    found = scorecard.seeds
    if found is None or not found.test.values:
        return Html("")
    metric = numbers.shown(scorecard.metric)
    seeds = found.seeds or list(range(found.n))
    where = scorecard.valid_from
    validation = {"Cross-validation" if where == CROSSED else "Validation": found.valid}
    parts = {**(validation if says_something(where) else {}), "Test": found.test}
    shown = {title: spread for title, spread in parts.items() if spread is not None}
    columns = [Column("Seed"), *[Column(title, number=True) for title in shown]]
    rows: list[tuple[object, ...]] = [
        (named(seed, found.kept), *[metric.show(value) for value in values])
        for seed, *values in zip(seeds, *[spread.values for spread in shown.values()], strict=False)
    ]
    rows.append(("mean ± standard deviation", *[mean_and_sd(metric, spread) for spread in shown.values()]))
    return table(f"{metric.title} of the same plan on {numbers.count(found.n, 'seed')}", columns, rows)


def named(seed: int, kept: int | None) -> Html:
    return join([seed, " ", tag("span.mark", "kept") if seed == kept else ""])


def mean_and_sd(metric: numbers.Shown, spread: Spread) -> str:
    if spread.sd is None:
        return metric.show(spread.mean)
    return f"{metric.show(spread.mean)} ± {metric.show_difference(spread.sd, signed=False)}"
