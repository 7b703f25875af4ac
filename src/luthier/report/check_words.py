"""The findings of `check` as text for a terminal."""

import shutil
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from luthier.report.understood_words import understood_words

SHOWN = 3
"""The most rows that are shown of a finding."""


def check_words(record: Mapping[str, Any], width: int | None = None) -> str:
    """A table of the findings, each with what it means, some of its rows and what mends it."""
    wide = min(width or shutil.get_terminal_size((100, 24)).columns, 120)
    lines = []
    if record["understood"] is not None:
        for line in understood_words(record["understood"]):
            lines += textwrap.wrap(line, wide, initial_indent="  ", subsequent_indent="    ")
        lines.append("")
    findings = record["findings"]
    if not findings:
        lines.append("  The checks found nothing to mend.")
    for finding in findings:
        share = f"{finding['share']:.1%}" if finding["count"] else ""
        lines.append(f"  {finding['severity']:<5} {finding['check']:<15} {finding['count']:>9,}  {share:>6}")
        lines += indented(finding["message"], wide)
        lines += indented(finding["matters"], wide)
        lines += [f"        {one}" for one in examples(finding["rows"], wide - 8)]
        lines += indented(f"-> {finding['mend']}", wide)
        lines.append("")
    if findings:
        counts = [
            f"{sum(one['severity'] == kind for one in findings)} {kind}" for kind in ("stop", "warn", "note")
        ]
        lines.append(f"  {len(findings)} finding{'' if len(findings) == 1 else 's'}: {', '.join(counts)}.")
    if "forecast" in record:
        lines += [
            "",
            *textwrap.wrap(record["forecast"]["words"], wide, initial_indent="  ", subsequent_indent="  "),
        ]
    if record["stops"]:
        lines.append("  luthier tune refuses these data.")
    return "\n".join(lines) + "\n"


def indented(text: str, wide: int) -> list[str]:
    return textwrap.wrap(text, wide, initial_indent=" " * 8, subsequent_indent=" " * 8)


def examples(rows: Sequence[Mapping[str, Any]], wide: int) -> list[str]:
    """Some rows: place, labels where they matter, and the text as far as it fits."""
    found = []
    for row in rows[:SHOWN]:
        place = f"{row['file']}, line {row['row']}: "
        label = f"[{row['label']} -> {row['suggested']}] " if "suggested" in row else ""
        text = " ".join(str(row["text"]).split())
        found.append(
            textwrap.shorten(place + label + text, wide, placeholder=" ...")
            if len(place + label + text) > wide
            else place + label + text
        )
    if len(rows) > SHOWN:
        found.append(f"... and {len(rows) - SHOWN:,} more in findings.json (--out FOLDER) or with --json")
    return found


def mended_words(record: Mapping[str, Any]) -> str:
    """Sentences on what --fix has written."""
    changes = ", ".join(f"{count:,} {reason}" for reason, count in record["edits"].items())
    lines = [f"  changed: {changes or 'nothing'}"]
    lines += [f"  {fixed}   the corrected copy" for fixed in record["fixed"]]
    lines += [f"  {patch}   what was changed; --undo or --apply it" for patch in record["patches"]]
    if record["review"] is not None:
        waits = f"{record['waiting']:,} labels wait for your decision (keep, delete or a label)"
        lines.append(f"  {record['review']}   {waits if record['waiting'] else 'all decided'}")
    return "\n".join(lines) + "\n"
