"""Sections about the data: the files, the split, what was left out, what the checks found."""

from luthier.report import words
from luthier.report.markup import Column, Html, details, facts, join, table, tag
from luthier.report.records import Record, Records

PARTS = {
    "train": "moves the weights",
    "valid": "chooses between candidates and stops training",
    "calibration": "fits the temperature",
    "test": "scored once, for the numbers of this page",
}
"""The parts of a split, and what each is for."""

LEFT_OUT = {"empty": "without a text or a label", "single": "of a class with one row"}
"""Why a row takes no part; other reasons are told by their key."""

SEVERITIES = ("stop", "warn", "note")


def data(records: Records) -> Html:
    return join(part for part in (source(records), parts(records), left_out(records), warnings(records)) if part)


def source(records: Records) -> Html:
    held = records.table or {}
    if not held:
        return Html("")
    files = [(str(file.get("name")), words.count(file.get("rows"))) for file in held.get("files") or ()]
    pairs = [
        ("File", files[0][0] if len(files) == 1 else words.NOTHING),
        ("Rows", words.count(held.get("rows"))),
        ("Text column", words.setting(held.get("text"))),
        ("Label column", words.setting(held.get("label"))),
        ("All columns", words.setting(held.get("columns"))),
    ]
    told = facts(pair for pair in pairs if pair[1] != words.NOTHING)
    return join([told, table("Files", [Column("File"), Column("Rows", number=True)], files) if len(files) > 1 else ""])


def parts(records: Records) -> Html:
    split = records.split or {}
    rows = {name: split.get(name, records.part("rows").get(name)) for name in PARTS}
    known = {name: int(found) for name, value in rows.items() if (found := words.number(value)) is not None}
    if not known:
        return Html("")
    total = sum(known.values()) or 1
    columns = [Column("Part"), Column("Rows", number=True), Column("Share", number=True), Column("What it is for", wide=True)]
    made = table(
        "Rows of each part",
        columns,
        [(name, words.count(size), words.share(size / total), PARTS[name]) for name, size in known.items()],
    )
    how = [words.sentence(str(split["how"]).rstrip("."))] if split.get("how") else []
    how += [f"Seed {split['seed']}"] if split.get("seed") is not None else []
    return join([tag("h3", "The split"), tag("p", ". ".join(how) + ".") if how else "", made])


def left_out(records: Records) -> Html:
    reasons = {reason: rows for reason, rows in records.part("left_out").items() if words.number(rows)}
    told = [f"{words.count(rows, 'row')} {LEFT_OUT.get(why, f'({why})')}." for why, rows in reasons.items()]
    told += [long] if (long := words.long_words(records.part("long"))) else []
    return join([tag("h3", "Left out"), tag("ul", join(tag("li", one) for one in told))]) if told else Html("")


def warnings(records: Records) -> Html:
    told = [*records.items("warnings"), *((records.split or {}).get("warnings") or ())]
    told += [f"{name} cannot be read and is left out of this page." for name in records.unreadable]
    unique = dict.fromkeys(map(str, told))
    return join([tag("h3", "Warnings"), tag("ul", join(tag("li", one) for one in unique))]) if unique else Html("")


def findings(records: Records) -> Html:
    if records.findings is None:
        return Html("")
    if not records.findings:
        return tag("p", "The checks found nothing to mend.")
    order = {severity: place for place, severity in enumerate(SEVERITIES)}
    found = sorted(records.findings, key=lambda one: order.get(str(one.get("severity")), len(order)))
    counts = {severity: sum(one.get("severity") == severity for one in found) for severity in SEVERITIES}
    tally = ", ".join(f"{size} {severity}" for severity, size in counts.items() if size)
    columns = [
        Column("Check"),
        Column("Severity"),
        Column("Rows", number=True),
        Column("Share", number=True),
        Column("What, and what to do", wide=True),
    ]
    rows = [
        (
            one.get("check", ""),
            severity(str(one.get("severity", ""))),
            words.count(one.get("count")),
            words.share(one.get("share")),
            told(one),
        )
        for one in found
    ]
    return table(f"What the checks found: {tally}", columns, rows)


def severity(name: str) -> Html:
    return tag("span.mark", name) if name == "stop" else tag("span.mark.quiet", name) if name == "warn" else tag("span", name)


def told(finding: Record, most: int = 5) -> Html:
    """The message, the mend, and some of the rows on demand."""
    rows = [row for row in finding.get("rows") or () if isinstance(row, dict)][:most]
    shown = join(tag("li", place(row), " ", words.cut(row.get("text", ""), 140)) for row in rows)
    return join(
        [
            words.cut(finding.get("message", ""), 500),
            tag("small", words.cut(finding["mend"], 500)) if finding.get("mend") else "",
            details("Rows", tag("ul", shown)) if rows else "",
        ]
    )


def place(row: Record) -> Html:
    """Where a row stands in the user's files."""
    where = [str(row["file"])] if row.get("file") else []
    where += [f"line {row['line']}"] if row.get("line") is not None else []
    where += [f"row {row['row']}"] if row.get("row") is not None and row.get("line") is None else []
    return tag("span.place", ", ".join(where))
