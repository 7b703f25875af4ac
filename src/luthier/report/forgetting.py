"""The report's section on what tuning left of the pre-trained model, and on what was kept of it."""

from luthier.folder.scorecard_records import Forgetting, GeneralTexts, Keeping, RungDrift
from luthier.report import numbers
from luthier.report.forgetting_pictures import WAYS, drift_dots, keeping_curve
from luthier.report.markup import Column, Html, beside, details, join, picture, table, table_or_details, tag
from luthier.report.records import Records


def forgetting(records: Records) -> Html:
    measured, keeping = records.scorecard.forgetting, records.scorecard.keeping
    if measured is None or not measured.to_json():
        return Html("")
    told = [tag("p", words) for words in (measured.words, keeping.words if keeping else None) if words]
    return join(
        [
            beside(join([*told, distances(measured)]), drifted(measured.drift or [])),
            kept_points(keeping, records.scorecard.metric),
        ]
    )


def distances(measured: Forgetting) -> Html:
    """What was measured, in numbers."""
    rows: list[tuple[str, str, str]] = []
    if numbers.number(measured.kl_to_base) is not None:
        rows.append(("KL to the base", numbers.nats(measured.kl_to_base), numbers.NOTHING))
    if numbers.number(measured.feature_cosine) is not None:
        rows.append(("Cosine of the features", numbers.three(measured.feature_cosine), numbers.NOTHING))
    rows += general_rows(measured.general) if measured.general is not None else []
    columns = [Column("Measure"), Column("Value", number=True), Column("95 % interval", number=True)]
    return table("Between the pre-trained model and this one", columns, rows) if rows else Html("")


def general_rows(general: GeneralTexts) -> list[tuple[str, str, str]]:
    """How general texts are read before and after."""
    if numbers.number(general.change) is not None:
        shown = numbers.shown("accuracy")
        return [
            *[
                (
                    f"Probe on general texts, {when}",
                    shown.show(share),
                    numbers.share_range(share, general.rows),
                )
                for when, share in (("before", general.probe_before), ("after", general.probe_after))
            ],
            (
                "Change",
                shown.show_difference(general.change),
                shown.show_difference_range(general.low, general.high),
            ),
        ]
    pairs = (("before", general.perplexity_before), ("after", general.perplexity_after))
    return [
        (f"Perplexity on general texts, {when}", f"{value:.1f}", numbers.NOTHING)
        for when, value in pairs
        if value is not None and numbers.number(value) is not None
    ]


def drifted(drift: list[RungDrift]) -> Html:
    if not drift:
        return Html("")
    columns = [Column("Rung"), Column("CKA", number=True)]
    rows = [(one.rung, numbers.three(one.cka)) for one in drift]
    caption = (
        "How alike the states of each rung still are to the pre-trained model's, from the lowest to the uppermost: 1 is "
        "unmoved."
    )
    return join([picture(drift_dots(drift), caption), details("In numbers", table("CKA", columns, rows))])


def kept_points(keeping: Keeping | None, metric_name: str) -> Html:
    """The models between the base and the tuned one, of which one was kept."""
    if keeping is None or not keeping.points:
        return Html("")
    metric = numbers.shown(keeping.metric or metric_name)
    columns = [
        Column("Way"),
        *[Column(title, number=True) for title in ("Share", "KL to the base", metric.title)],
        Column("Note"),
    ]
    rows = [
        (
            "as it was tuned" if one.alpha == 1 else WAYS.get(one.way, one.way),
            f"{one.alpha:.2f}",
            numbers.nats(one.kl),
            metric.show(one.score),
            "kept" if at == keeping.kept else "as good as the best" if one.near else numbers.NOTHING,
        )
        for at, one in enumerate(keeping.points)
    ]
    caption = (
        f"{metric.title} on validation against what was forgotten. Filled: within a standard error of the best. The large one "
        "was kept."
    )
    drawn = picture(keeping_curve(keeping, metric), caption)
    listed = table_or_details("Models between the pre-trained and the tuned weights", columns, rows)
    return join([tag("h3", "What was kept"), beside(drawn, listed)])
