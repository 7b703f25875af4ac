"""The report's sections on the data: the files, the split, what was left out, what the checks found."""

from collections.abc import Sequence

from luthier.report import numbers, sentences
from luthier.report.markup import Column, Html, details, facts, join, table, tag, with_note
from luthier.report.records import Record, Records

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

LEFT_OUT = {"empty": "without a text or a label", "single": "of a class with one row"}
"""Why a row takes no part; other reasons are told by their key."""

SEVERITIES = ("stop", "warn", "note")


def data(records: Records) -> Html:
    return join([source(records), parts(records), left_out(records), warnings(records)])


def source(records: Records) -> Html:
    held = records.table or {}
    if not held:
        return Html("")
    files = [(str(file.get("name")), numbers.count(file.get("rows"))) for file in held.get("files") or ()]
    pairs = [
        ("File", files[0][0] if len(files) == 1 else numbers.NOTHING),
        ("Rows", numbers.count(held.get("rows"))),
        *((f"{what} column", numbers.setting(held.get(role))) for role, what in ROLES.items()),
        ("All columns", numbers.setting(held.get("columns"))),
    ]
    told = facts(pair for pair in pairs if pair[1] != numbers.NOTHING)
    listed = table("Files", [Column("File"), Column("Rows", number=True)], files) if len(files) > 1 else ""
    return join([told, listed])


def parts(records: Records) -> Html:
    split = records.split or {}
    rows = {name: split.get(name, records.part("rows").get(name)) for name in PARTS}
    known = {name: int(found) for name, value in rows.items() if (found := numbers.number(value)) is not None}
    uses, calibrates = dict(PARTS), split.get("calibrates", "calibration")
    if calibrates != "calibration":
        known.pop("calibration", None)
        uses["valid"] += f", and {PARTS['calibration']}" if calibrates == "valid" else ""
    if not known:
        return Html("")
    total = sum(known.values()) or 1
    columns = [Column("Part"), Column("Rows", number=True), Column("Share", number=True)]
    told = [
        (with_note(name, uses[name]), numbers.count(size), numbers.share(size / total))
        for name, size in known.items()
    ]
    how = [sentences.sentence(str(split["how"]).rstrip("."))] if split.get("how") else []
    if split.get("seed") is not None and "seed" not in str(split.get("how")):
        how.append(f"Seed {split['seed']}")
    explained = tag("p", ". ".join(how) + ".") if how else ""
    return join([tag("h3", "The split"), explained, table("Rows of each part", columns, told)])


def left_out(records: Records) -> Html:
    reasons = {reason: rows for reason, rows in records.part("left_out").items() if numbers.number(rows)}
    told = [f"{numbers.count(rows, 'row')} {LEFT_OUT.get(why, f'({why})')}." for why, rows in reasons.items()]
    told += [long] if (long := sentences.long_words(records.part("long"))) else []
    return bullets("Left out", told)


def warnings(records: Records) -> Html:
    told = [*records.items("warnings"), *((records.split or {}).get("warnings") or ())]
    return bullets("Warnings", list(dict.fromkeys(map(str, told))))


def bullets(title: str, told: list[str]) -> Html:
    return join([tag("h3", title), tag("ul", *[tag("li", one) for one in told])]) if told else Html("")


def findings(records: Records) -> Html:
    return Html("") if records.findings is None else findings_table(records.findings)


def findings_table(found: Sequence[Record]) -> Html:
    """What checks found, the gravest first."""
    if not found:
        return tag("p", "The checks found nothing to mend.")
    order = {severity: place for place, severity in enumerate(SEVERITIES)}
    found = sorted(found, key=lambda one: order.get(str(one.get("severity")), len(order)))
    counts = {severity: sum(one.get("severity") == severity for one in found) for severity in SEVERITIES}
    tally = ", ".join(f"{size} {severity}" for severity, size in counts.items() if size)
    columns = [Column("Check"), Column("What, and what to do", wide=True), Column("Rows", number=True)]
    rows = [(checked(one), told(one), amount(one)) for one in found]
    return table(f"What the checks found: {tally}", columns, rows)


def checked(finding: Record) -> Html:
    """The name of the check, and how grave the finding is."""
    severity = finding.get("severity", "")
    mark = {"stop": "span.mark", "warn": "span.mark.quiet"}.get(str(severity), "small")
    return join([finding.get("check", ""), " ", tag(mark, severity)])


def amount(finding: Record) -> Html:
    share = numbers.share(finding["share"]) if finding.get("share") is not None else ""
    return with_note(numbers.count(finding.get("count")), share)


def told(finding: Record, most: int = 10) -> Html:
    """The message, the mend, and some of the rows on demand."""
    rows = [row for row in finding.get("rows") or () if isinstance(row, dict)][:most]
    shown = join(tag("li", with_note(sentences.cut(doubted(row), 140), place(row))) for row in rows)
    return join(
        [
            sentences.cut(finding.get("message", ""), 500),
            tag("small", sentences.cut(finding["matters"], 500)) if finding.get("matters") else "",
            tag("small", sentences.cut(finding["mend"], 500)) if finding.get("mend") else "",
            details("Rows", tag("ul", shown)) if rows else "",
        ]
    )


def doubted(row: Record) -> str:
    """The text of a row, after its label and the one that fits better where there is one."""
    labels = f"{row.get('label', '')} → {row['suggested']}: " if "suggested" in row else ""
    return f"{labels}{row.get('text', '')}"


def place(row: Record) -> str:
    """Where a row stands in the user's files."""
    where = [str(row["file"])] if row.get("file") else []
    if row.get("line") is not None:
        where.append(f"line {row['line']}")
    elif row.get("row") is not None:
        where.append(f"row {row['row']}")
    return ", ".join(where)
