"""The report's sections on the data: the files, the split, what was left out, what the checks found."""

from collections.abc import Sequence

from luthier.report import numbers, sentences
from luthier.report.markup import Column, Html, beside, details, facts, join, table, tag, with_note
from luthier.report.records import Records, Row
from luthier.report.run_records import FindingRecord, SplitRecord
from luthier.scores.validated import CROSSED, LEARNT

ROLES = {
    "text": "Text",
    "text2": "Second text",
    "negative": "Negative text",
    "question": "Question",
    "image": "Image",
    "label": "Label",
}
PARTS = {
    "train": "moves the weights",
    "valid": "chooses between candidates and stops training",
    "calibration": "calibrates probabilities and intervals",
    "test": "scored once, at the end",
}
"""The parts of a split, and what each is for."""
CROSSED_USE = "moves the weights, and, answered in cross-validation, chooses between candidates"


def uses_of_parts(valid_from: str | None) -> dict[str, str]:
    """The parts that have rows of their own, and what each is for. valid_from: as in a scorecard; training rows that stand in the
    place of validation rows are not counted twice."""
    if valid_from not in (CROSSED, LEARNT):
        return dict(PARTS)
    own = {name: use for name, use in PARTS.items() if name != "valid"}
    return own | ({"train": CROSSED_USE} if valid_from == CROSSED else {})


LEFT_OUT = {"empty": "without a text or a label", "single": "of a class with one row"}
"""Why a row takes no part; other reasons are told by their key."""

SEVERITIES = ("stop", "warn", "note")


def data(records: Records) -> Html:
    held = join([source(records), parts(records)])
    return beside(held, join([understood(records), left_out(records), warnings(records)]))


def understood(records: Records) -> Html:
    """How a model that was tuned elsewhere, and the rows that it was asked, were understood."""
    judged = records.scorecard.judged
    return bullets("How model and rows were understood", [] if judged is None else judged.understood or [])


def source(records: Records) -> Html:
    held = records.table
    if held is None:
        return Html("")
    files = [(file.name, numbers.count(file.rows)) for file in records.files]
    pairs = [
        ("File", files[0][0] if len(files) == 1 else numbers.NOTHING),
        ("Rows", numbers.count(held.rows)),
        *((f"{what} column", numbers.setting(held.column(role))) for role, what in ROLES.items()),
        ("All columns", numbers.setting(held.columns)),
    ]
    told = facts(pair for pair in pairs if pair[1] != numbers.NOTHING)
    listed = table("Files", [Column("File"), Column("Rows", number=True)], files) if len(files) > 1 else ""
    return join([told, listed])


def parts(records: Records) -> Html:
    split, sizes = records.split or SplitRecord(), records.scorecard.rows or {}
    uses = uses_of_parts(records.scorecard.valid_from)
    rows = {name: sizes.get(name) if (size := split.size(name)) is None else size for name in uses}
    known = {name: int(found) for name, value in rows.items() if (found := numbers.number(value)) is not None}
    calibrates = split.calibrates
    if calibrates != "calibration":
        known.pop("calibration", None)
    if calibrates == "valid":
        uses["valid" if "valid" in uses else "train"] += f", and {PARTS['calibration']}"
    if records.scorecard.judged is not None:
        known = {name: size for name, size in known.items() if size}
        uses |= {
            "train": "what baselines and the temperature learn from",
            "test": "every row that was judged",
        }
    if not known:
        return Html("")
    total = sum(known.values()) or 1
    columns = [Column("Part"), Column("Rows", number=True), Column("Share", number=True)]
    told = [
        (with_note(name, uses[name]), numbers.count(size), numbers.share(size / total))
        for name, size in known.items()
    ]
    how = [sentences.sentence(split.how.rstrip("."))] if split.how else []
    if split.seed is not None and "seed" not in (split.how or ""):
        how.append(f"Seed {split.seed}")
    explained = tag("p", ". ".join(how) + ".") if how else ""
    return join([tag("h3", "The split"), explained, table("Rows of each part", columns, told)])


def left_out(records: Records) -> Html:
    reasons = {reason: rows for reason, rows in (records.scorecard.left_out or {}).items() if rows}
    told = [f"{numbers.count(rows, 'row')} {LEFT_OUT.get(why, f'({why})')}." for why, rows in reasons.items()]
    told += [long] if (long := sentences.long_words(records.scorecard.long)) else []
    return bullets("Left out", told)


def warnings(records: Records) -> Html:
    split = records.split or SplitRecord()
    told = [*(records.scorecard.warnings or []), *(split.warnings or [])]
    return bullets("Warnings", list(dict.fromkeys(told)))


def bullets(title: str, told: list[str]) -> Html:
    return join([tag("h3", title), tag("ul", *[tag("li", one) for one in told])]) if told else Html("")


def findings(records: Records) -> Html:
    return Html("") if records.findings is None else findings_table(records.findings)


def findings_table(found: Sequence[FindingRecord]) -> Html:
    """What checks found, the gravest first."""
    if not found:
        return tag("p", "The checks found nothing to mend.")
    order = {severity: place for place, severity in enumerate(SEVERITIES)}
    found = sorted(found, key=lambda one: order.get(one.severity or "", len(order)))
    counts = {severity: sum(one.severity == severity for one in found) for severity in SEVERITIES}
    tally = ", ".join(f"{size} {severity}" for severity, size in counts.items() if size)
    columns = [Column("Check"), Column("What, and what to do", wide=True), Column("Rows", number=True)]
    rows = [(checked(one), told(one), amount(one)) for one in found]
    return table(f"What the checks found: {tally}", columns, rows)


def checked(finding: FindingRecord) -> Html:
    """The name of the check, and how grave the finding is."""
    severity = finding.severity or ""
    mark = {"stop": "span.mark", "warn": "span.mark.quiet"}.get(severity, "small")
    return join([finding.check or "", " ", tag(mark, severity)])


def amount(finding: FindingRecord) -> Html:
    share = numbers.share(finding.share) if finding.share is not None else ""
    return with_note(numbers.count(finding.count), share)


def told(finding: FindingRecord, most: int = 10) -> Html:
    """The message, the mend, and some of the rows on demand."""
    rows = (finding.rows or [])[:most]
    shown = join(tag("li", with_note(sentences.cut(doubted(row), 140), place(row))) for row in rows)
    return join(
        [
            sentences.cut(finding.message or "", 500),
            tag("small", sentences.cut(finding.matters, 500)) if finding.matters else "",
            tag("small", sentences.cut(finding.mend, 500)) if finding.mend else "",
            details("Rows", tag("ul", shown)) if rows else "",
        ]
    )


def doubted(row: Row) -> str:
    """The text of a row, after its label and the one that fits better where there is one."""
    labels = f"{row.get('label', '')} → {row['suggested']}: " if "suggested" in row else ""
    return f"{labels}{row.get('text', '')}"


def place(row: Row) -> str:
    """Where a row stands in the user's files."""
    where = [str(row["file"])] if row.get("file") else []
    if row.get("line") is not None:
        where.append(f"line {row['line']}")
    elif row.get("row") is not None:
        where.append(f"row {row['row']}")
    return ", ".join(where)
