"""Where a run writes, what its folder belongs to, and what an earlier command there has decided."""

from dataclasses import dataclass, replace
from pathlib import Path

from luthier.devices import Device
from luthier.folder.run_folder import RunFolder
from luthier.hashes import hash_json
from luthier.plan.plan import Plan, read_plan
from luthier.prepare.rows import Rows


@dataclass(frozen=True)
class Place:
    """Where a run writes, and what its folder belongs to."""

    out: Path
    key: str
    """Hash of plan, data and model."""
    older_keys: tuple[str, ...]
    """The keys that older versions gave such a run."""

    def folder(self) -> RunFolder:
        """The run's folder. Raises RunError where anything else's work stands there."""
        return RunFolder(self.out, self.key, self.older_keys)


def place_of(plan: Plan, out: Path, rows: Rows, stands_on: list[object]) -> Place:
    """Where a run writes, and the keys that its folder may have. plan: with nothing left open."""
    return Place(out, hash_json([plan.identity(), *stands_on]), older_keys(plan, rows, stands_on))


def older_keys(plan: Plan, rows: Rows, stands_on: list[object]) -> tuple[str, ...]:
    """The keys that older versions gave a run: they hashed the images' names, not their bytes."""
    if rows.understood.images is None:
        return ()
    return (hash_json([plan.identity(), rows.table.fingerprint, *stands_on[1:]]),)


def default_folder(plan: Plan, stands_on: list[object]) -> Path:
    """The default folder, runs/<name of the data>-<hash>: the same command finds the same folder again."""
    name = Path(plan.data.path).name.split(".")[0]
    return Path("runs") / f"{name}-{hash_json([plan.identity(), *stands_on])[:8]}"


def recomputing_as_recorded(plan: Plan, out: Path) -> Plan:
    """The plan as an earlier command found that it fits into memory, where this one leaves that open."""
    if plan.run.recompute != "auto" or not (out / "plan.toml").is_file():
        return plan
    found = read_plan(out / "plan.toml").get("run.recompute")
    return plan if found is None else plan.with_settings({"run.recompute": found})


def as_recorded(device: Device, plan: Plan, out: Path) -> Device:
    """The device as an earlier command found it, where the plan leaves that open.

    What is decided by measurement must not be decided anew: on a busy machine the same command could else end in another run.
    """
    if plan.run.precision != "auto" or not (out / "plan.toml").is_file():
        return device
    found = read_plan(out / "plan.toml").get("run.precision")
    return device if found is None else replace(device, precision=found)
