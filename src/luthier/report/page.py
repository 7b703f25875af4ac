"""`report.html`: one page that needs nothing else, written from the records of a run."""

import re
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from pathlib import Path

from luthier.files import write_bytes
from luthier.folder.run_folder import refuse_strange
from luthier.report import sentences
from luthier.report.continued import continued
from luthier.report.distilled import distilled
from luthier.report.forgetting import forgetting
from luthier.report.making import cost, provenance, training, use
from luthier.report.markup import Html, join, safe, tag
from luthier.report.mistakes import mistakes
from luthier.report.overfitting import overfitting
from luthier.report.quality import answered, calibration, classes, confusion, estimates, scores
from luthier.report.records import Records, read_records
from luthier.report.rows import data, findings, findings_table
from luthier.report.run_records import FindingRecord
from luthier.report.slices import slices
from luthier.report.trust import trust
from luthier.report.verdict import verdict
from luthier.report.written import written

SECTIONS: dict[str, Callable[[Records], Html]] = {
    "Verdict": verdict,
    "Scores": scores,
    "Labelling rounds": continued,
    "Teacher and student": distilled,
    "Forgetting": forgetting,
    "Trust": trust,
    "Calibration": calibration,
    "Cost": cost,
    "Training": training,
    "Overfitting": overfitting,
    "Estimates": estimates,
    "Answers": answered,
    "Written answers": written,
    "Classes": classes,
    "Confusions": confusion,
    "Slices": slices,
    "Mistakes": mistakes,
    "Data": data,
    "Findings": findings,
    "How it was made": provenance,
    "How to use it": use,
}
"""The sections in the order in which they are asked for. One that has nothing to say is left out."""
UNBROKEN = re.compile(r"(?<=\d) (?=%)")
"""The space in "80 %", where no line may end."""


def write_report(run: Path) -> Path:
    """Write `report.html` into a run's folder. The same records give the same bytes."""
    refuse_strange(run)
    path = run / "report.html"
    # A lone surrogate, which JSON may hold and UTF-8 may not, becomes a question mark.
    write_bytes(path, page(read_records(run)).encode("utf-8", "replace"))
    return path


def page(records: Records) -> str:
    """The whole page."""
    bodies = {title: body for title, write in SECTIONS.items() if (body := write(records))}
    name = f"{records.model} on {records.dataset or 'your rows'}"
    return document(f"{sentences.headline(records.scorecard)} {name}", "luthier report", name, bodies)


def write_check_page(folder: Path, name: str, findings: Sequence[FindingRecord]) -> Path:
    """Write the `report.html` of `check`: what was found, and nothing else."""
    body = findings_table(findings)
    path = folder / "report.html"
    text = document(f"{len(findings)} findings in {name}", "luthier check", name, {"Findings": body})
    write_bytes(path, text.encode("utf-8", "replace"))
    return path


def document(title: str, kicker: str, name: str, bodies: Mapping[str, Html]) -> str:
    """A page of sections, with nothing loaded from elsewhere. The first says it all; below it the others are listed."""
    first, *others = (section(one, body) for one, body in bodies.items())
    parts = UNBROKEN.sub("\u00a0", join([first, contents(list(bodies)[1:]), *others]))
    style = resources.files("luthier.report").joinpath("style.css").read_text(encoding="utf-8")
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{safe(title)}</title>
<style>
{style}</style>
</head>
<body>
<header>
<p class="kicker">{safe(kicker)}</p>
<h1>{safe(name)}</h1>
</header>
<main>
{parts}</main>
<footer><p>Written by luthier from the records beside this file. It loads nothing from elsewhere.</p></footer>
</body>
</html>
"""


def contents(titles: Sequence[str]) -> Html:
    """Links to the sections."""
    links = join(Html(f'<li><a href="#{anchor(title)}">{safe(title)}</a></li>') for title in titles)
    return Html(f'<nav aria-label="Sections"><ul>{links}</ul></nav>\n') if links else links


def section(title: str, body: Html) -> Html:
    """A section: its title, which stands in the margin of a wide page, and what it holds."""
    name = anchor(title)
    head = f'<h2 id="{name}-title">{safe(title)}</h2>'
    inside = tag("div.body", body)
    return Html(f'<section id="{name}" aria-labelledby="{name}-title">{head}{inside}</section>\n')


def anchor(title: str) -> str:
    return title.lower().replace(" ", "-")
