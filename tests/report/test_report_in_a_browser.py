"""Pages as they stand in a browser: nothing empty, cut or covered, on a phone, on a wide screen, in the dark and on paper.

The reports of runs of every task are looked at where those runs are (`test_contract.py`); here are pages with what is rare or
hostile.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from browser import Browser
from luthier.folder.scorecard_records import ScorecardRecord
from luthier.report.page import write_check_page, write_report
from luthier.report.run_records import FindingRecord
from luthier.report.search_page import search_page
from luthier.report.search_records import SearchRecord
from report.test_report import SCORECARD, answer, make_run, stepped
from report.test_search_report import CARD, RECORD

LONG = "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen" * 2
MOST_BYTES = 1_000_000
MOST_ELEMENTS = 5_000
"""What a page may hold: Chromium shows so much within a second on a phone's processor."""


def written(page: str, path: Path) -> Path:
    path.write_text(page, encoding="utf-8")
    return path


@pytest.mark.slow
def test_a_report_with_every_record_is_whole(tmp_path: Path, browser: Browser) -> None:
    assert browser.faults(write_report(make_run(tmp_path / "run"))) == []


@pytest.mark.slow
def test_a_scorecard_alone_makes_a_page_without_holes(tmp_path: Path, browser: Browser) -> None:
    few = {key: SCORECARD[key] for key in ("metric", "test", "candidates", "chosen")}
    (tmp_path / "scorecard.json").write_text(json.dumps(few))

    assert browser.faults(write_report(tmp_path)) == []


@pytest.mark.slow
@pytest.mark.parametrize("count", [7, 40])
def test_names_that_are_long_break_no_table_and_no_picture(
    count: int, tmp_path: Path, browser: Browser
) -> None:
    labels = [
        f"{LONG}{at}" if at % 2 else f"label {at} with several words, all of which are read"
        for at in range(count)
    ]
    costs = {"rows_per_second": 1.2e7, "bytes": 10**12, "rows_to_reach": 10**7}
    scores = {"precision": 0.9, "recall": 0.9, "f1": 0.9, "support": 1000}
    changes: dict[str, Any] = {
        "model": f"someone/{LONG}",
        "labels": labels,
        "confusion": [[900 if row == column else 100 for column in range(count)] for row in range(count)],
        "per_class": [{"label": one, **scores} for one in labels],
        "candidates": [{**one, **costs} for one in SCORECARD["candidates"]],
        "reaching": "Rows to reach: what it would take.",
        "in_short": f"Tuning was worth it: {LONG} is beaten.",
        "clusters": {"by": [f"rows of one {LONG!r}"], "test": 40},
        "warnings": [LONG],
    }  # fmt: skip

    assert browser.faults(write_report(make_run(tmp_path / "run", **changes))) == []


@pytest.mark.slow
def test_a_search_and_a_check_make_pages_as_whole(tmp_path: Path, browser: Browser) -> None:
    found = FindingRecord.model_validate(
        {"check": "leaks", "severity": "warn", "count": 2, "share": 0.1, "rows": [{"file": LONG, "row": 1, "text": LONG}],
         "message": LONG, "matters": "The score is too good.", "mend": "Delete them."}
    )  # fmt: skip
    record, card = SearchRecord.model_validate(RECORD), ScorecardRecord.model_validate(CARD)

    assert browser.faults(write_check_page(tmp_path, "rows.csv", [found])) == []
    assert browser.faults(write_check_page(tmp_path, "rows.csv", [])) == []
    # The link to the winner's report is the one thing outside of the page.
    assert browser.faults(written(search_page(record, card), tmp_path / "search.html")) == []


BROKEN = {
    "<p></p>": "empty: p",
    "<table><caption>t</caption><tr><th>a</th><th>b</th></tr><tr><td>1</td><td></td></tr></table>": "empty: td",
    "<p style='width: 3000px'>wide</p>": "pixels wide",
    "<p style='width: 3em; overflow: hidden; white-space: nowrap'>no one reads the end</p>": "wider than its box",
    "<p style='position: absolute; left: -9em'>half of it is beyond</p>": "beyond the page",
    "<p>below</p><p style='margin-top: -2.4em'>above</p>": 'covered by "above"',
    "<svg role=img aria-label=a width=99 height=30><text x=80 y=20>a long label</text></svg>": "cut by its picture",
    "<svg role=img aria-label=a width=99 height=30></svg>": "nothing drawn",
    "<p style='color: #999'>pale</p>": "color-contrast",
    "<h4>a head too deep</h4>": "heading-order",
    "<details><summary>more</summary><p style='display: none'>x</p></details>": "not printed",
    "<div style='width: 5em; overflow: auto'><p style='width: 50em'>x</p></div>": "printed: wider than its box",
    "<img alt=a src='http://127.0.0.1:9/a.png'>": "asks for http",
}
"""Pieces of a page that are wrong, and what is told of each."""


@pytest.mark.slow
def test_whoever_looks_sees_what_is_wrong(tmp_path: Path, browser: Browser) -> None:
    page = (
        "<!DOCTYPE html><html lang=en><head><title>t</title></head><body style='background: #fff; color: #000'>"
        f"<main><h1>One</h1>{''.join(BROKEN)}</main></body></html>"
    )

    found = browser.faults(written(page, tmp_path / "page.html"))

    assert [fault for fault in BROKEN.values() if not any(fault in one for one in found)] == []


@pytest.mark.slow
def test_a_report_of_100_000_rows_is_no_larger_than_one_of_few(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    lines = [json.dumps(answer("neg", 0.5 + at % 1000 / 2000)) for at in range(1000)] * 100
    (run / "predictions" / "test.jsonl").write_text("\n".join(lines))
    steps = [json.dumps(stepped(step, 1 / step)) for step in range(1, 10_001)]
    (run / "events.jsonl").write_text("\n".join(steps))

    page = write_report(run).read_text(encoding="utf-8")

    assert "Answered wrongly: 100,000 test rows." in page.replace("\u00a0", " ")
    assert len(page.encode()) < MOST_BYTES
    assert len(re.findall(r"<[a-z]", page)) < MOST_ELEMENTS
