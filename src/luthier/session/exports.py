"""Exporting a run's model, with its progress shown."""

from pathlib import Path

from luthier.folder.artefacts import run_inside
from luthier.session.out import refuse_unwritable_file
from luthier.session.runs import plan_of
from luthier.session.shown import shown
from luthier.steps.export import Exported, export_run


def export_model(run: Path, format: str, kind: str | None, out: Path | None, quiet: bool = False) -> Exported:
    """Write a run's model in another format, showing progress; raises as `export_run` does."""
    refuse_unwritable_file(None if out is None else str(out))
    home = run_inside(run)
    plan = plan_of(home) if (home / "plan.toml").is_file() else None
    return shown(lambda stop: export_run(run, plan, format, kind, out, stop), quiet)
