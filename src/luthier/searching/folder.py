"""The folder of a search: its plan, the trials' folders, who is at work on what, and search.json, which tells of it."""

import contextlib
import fcntl
import os
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from luthier.errors import PlanError, RunError
from luthier.files import (
    is_locked,
    locked,
    open_file,
    open_lock,
    refuse_links_away,
    refuse_strange_file,
    telling_disk_errors,
    write_json,
    write_text,
)
from luthier.hashes import hash_file, hash_json
from luthier.machine import cores
from luthier.plan.key import BESIDE, deciding
from luthier.plan.places import NAMED, PACKAGED_NAMES, found_again, placed
from luthier.plan.plan import Plan, read_plan
from luthier.plan.search import SECTION, SearchPlan, parted
from luthier.records import Kind, VersionedRecord, read_sealed, sealed, stamped, write_sealed
from luthier.report.search_records import SearchRecord, read_search
from luthier.searching.records import SearchKey, Settled, SpentNote

PLAN, RECORD, REPORT, BEST = "plan.toml", "search.json", "report.html", "best"
OF_SEARCH = -1
"""The number in the place of a trial's where an event is about the search as a whole."""
SPENT = "spent"
"""The name of the note with the seconds of all commands, as of the last validation of a trial."""
DEATHS = 4
"""How many processes may die in a row before a search gives up."""
COMMAND = "command"
"""The lock of the command that is at work on a search, where its trials are on record here alone."""
NOTE_MEND = "Put back the file that was there, or search anew with another --out."


def key_of(plan: Plan, search: SearchPlan) -> str:
    """Hash of what a search stands on: whoever asks for the same goes on with it."""
    files = [file and contents(Path(file)) for file in (plan.data.path, plan.data.valid, plan.data.test)]
    return hash_json(
        [
            plan.identity(),
            deciding(SECTION, search),
            files,
            plan.model.name,
            *filter(None, [plan.model.base]),
        ]
    )


def contents(path: Path) -> list[object]:
    """What tells a file from another one under the same name: its hash, or names and sizes of a folder's files."""
    if path.is_dir():
        found = sorted(file for file in path.rglob("*") if file.is_file())
        return [str(path.absolute()), [[str(file.relative_to(path)), file.stat().st_size] for file in found]]
    return [str(path.absolute()), hash_file(path) if path.is_file() else None]


def without_password(url: str) -> str:
    """
    >>> without_password("postgresql://me:secret@host/trials"), without_password("//me:secret@host:x")
    ('postgresql://me:***@host/trials', '//me:***@host:x')
    """
    return re.sub(r"(//[^/@:]*):[^/]*@", r"\1:***@", url)


def holder_of(began: float, process: int) -> str:
    """The name under which a process takes trials. began: the command, by time.time()."""
    return f"{began}/{process}"


@dataclass(frozen=True)
class SearchFolder:
    """The folder that a search writes into."""

    path: Path

    @property
    def state(self) -> Path:
        return self.path / "state"

    @property
    def best(self) -> Path:
        return self.path / BEST

    @property
    def is_search(self) -> bool:
        """Whether this is the folder of a search, rather than of a run."""
        refuse_strange_file(self.path / PLAN, self.path)
        return (self.path / PLAN).is_file() and self.asked() is not None and self.key_record() is not None

    def refuse_strange(self) -> None:
        """Raise InputError where a pipe, a folder or a link that leaves the search stands in the place of one of its files."""
        refuse_links_away(self.state, self.path)
        for name in (PLAN, RECORD, REPORT, "state/key.json", "search.db"):
            refuse_strange_file(self.path / name, self.path)

    def refuse_in_use(self) -> None:
        """Raise RunError where another command is at work here, and trials are on record here alone."""
        if is_locked(self.state / "locks" / COMMAND):
            raise self.in_use()

    @contextlib.contextmanager
    def at_work(self, asked: SearchPlan) -> Iterator[None]:
        """Inside, no other command is at work here; with a storage of its own, several may be, each at other trials."""
        if asked.storage is not None:
            yield
            return
        with locked(self.state / "locks" / COMMAND) as ours:
            if not ours:
                raise self.in_use()
            yield

    def in_use(self) -> RunError:
        return RunError(
            f"{self.path}: another command is at work on this search. Wait for its end, choose another folder with --out, or let "
            "several share one from the beginning with --storage."
        )

    def asked(self) -> dict[str, Any] | None:
        """The section of the plan that only a search has; None where it is missing."""
        _, found = parted(read_plan(self.path / PLAN))
        return found or None

    @property
    def finished(self) -> bool:
        """Whether the last thing a search writes is there."""
        return (self.path / REPORT).is_file()

    def trial(self, number: int) -> Path:
        return self.path / "trials" / str(number)

    @property
    def shared(self) -> Path:
        """The folder of what all trials have in common, such as features."""
        return self.state / "shared"

    @property
    def settled(self) -> Settled | None:
        """What all trials have in common; None before the first process has looked."""
        return self.note("settled", Settled)

    @property
    def gpus(self) -> int:
        """The number of GPUs for trials; zero before the first process has looked."""
        settled = self.settled
        return 0 if settled is None else settled.gpus

    @property
    def default_workers(self) -> int:
        """As many processes as have cores of their own, each with the threads that the search has settled; or a GPU each."""
        settled = self.settled
        threads = int((settled.run.get("run.threads") if settled else None) or 1)
        return self.gpus or max(1, cores() // max(1, threads))

    @property
    def url(self) -> str:
        return f"sqlite:///{self.path.absolute() / 'search.db'}"

    def begin(self, plan: Plan, search: SearchPlan) -> bool:
        """Make the folder, or find it again; True where it is new.

        Raises RunError where it holds anything else than this search.
        """
        of_a_run = (self.path / PLAN).is_file() and self.asked() is None
        if of_a_run or (self.key_record() is None and not self.hardly_begun):
            raise RunError(
                f"{self.path}: is not empty and not the folder of a search. Choose another folder with --out."
            )
        with self.alone("begin"):
            return self.begin_alone(plan, search)

    def begin_alone(self, plan: Plan, search: SearchPlan) -> bool:
        """Make the folder, or find it again, as `begin` says, while no other command does."""
        key, known = key_of(plan, search), self.key_record()
        if known is not None and known.key != key:
            raise RunError(
                f"{self.path}: holds a search of another plan, space or data{self.differences(search)}. Choose another folder "
                f"with --out, go on with the one there by `luthier resume {self.path}`, or delete it if it is not needed."
            )
        storage = without_password(search.storage) if search.storage else None
        if known is not None and known.storage != storage:
            raise RunError(
                f"{self.path}: the trials of this search are on record in another place than --storage says. Leave out what was "
                "not said at first, or choose another folder with --out."
            )
        # Also where earlier commands stood: names in the plan are found from there.
        where = list(dict.fromkeys([os.getcwd(), *(known.where if known else [])]))
        own = known.id if known else uuid.uuid4().hex
        self.keep_note("key", SearchKey(key=key, id=own, storage=storage, where=where))
        self.write_plan(plan, search)
        return known is None

    def differences(self, search: SearchPlan) -> str:
        """The settings that differ from those of the search that is here, in brackets; empty where the difference is another
        one."""
        own, asked = self.plans()[1].model_dump(), search.model_dump()
        found = [
            f"--{name} {own[name] or 'was left out'}, not {asked[name] or 'left out'}"
            for name in own
            if own[name] != asked[name] and name not in {*BESIDE[SECTION].split(), "vary"}
        ]
        return f" ({'; '.join(found)})" if found else ""

    @property
    def hardly_begun(self) -> bool:
        """Whether nothing is there, or only what a search leaves that was killed before it wrote its key."""
        if not self.path.exists():
            return True
        if not self.path.is_dir() or any(path != self.state for path in self.path.iterdir()):
            return False
        return all(path.name.startswith((".key.json.", "locks")) for path in self.state.glob("*"))

    def write_plan(self, plan: Plan, search: SearchPlan) -> None:
        told = search.model_dump(mode="json", exclude_none=True)
        secret = search.storage is not None and without_password(search.storage) != search.storage
        # `resume` needs a password; nobody else does.
        text = placed(plan, self.path).to_toml() + "\n" + tomli_w.dumps({SECTION: told})
        write_text(self.path / PLAN, text, private=secret)

    def plans(self) -> tuple[Plan, SearchPlan]:
        """The plan of the trials, and that of the search. Raises RunError where this is not the folder of a search."""
        known = self.key_record()
        if known is None or not (self.path / PLAN).is_file():
            raise RunError(f"{self.path}: is not the folder of a search: it holds no {PLAN} of one.")
        settings, asked = parted(read_plan(self.path / PLAN))
        places = [self.path, *map(Path, known.where)]
        named = [key for key in NAMED if isinstance(settings.get(key), str)]
        settings |= {key: found_again(key, settings[key], places) for key in named}
        try:
            return Plan.build(settings), SearchPlan.build(asked)
        except PlanError as error:
            raise PlanError(f"{self.path / PLAN}: {error}") from None

    def found_again(self, name: str) -> str:
        """A file as it was named from where a command of this search stood; the name itself where there is none, as of an
        embedded model."""
        if name in PACKAGED_NAMES:
            return name
        known = self.key_record()
        where = [str(self.path), *(known.where if known else [])]
        return next((str(place) for one in where if (place := Path(one) / name).exists()), name)

    def key_record(self) -> SearchKey | None:
        """The record key.json; None where the folder is not that of a search."""
        return self.note("key", SearchKey)

    def note(self, name: str, kind: type[Kind]) -> Kind | None:
        """A record in `state`; None where there is none. Raises RunError, with file and field, for one that cannot be used."""
        try:
            return read_sealed(self.state / f"{name}.json", kind, within=self.path, mend=NOTE_MEND)[0]
        except (FileNotFoundError, NotADirectoryError):
            return None

    def keep_note(self, name: str, record: VersionedRecord) -> None:
        write_sealed(self.state / f"{name}.json", record)

    def write_record(self, record: Mapping[str, Any]) -> None:
        write_json(self.path / RECORD, sealed(stamped(record, SearchRecord)))

    def record(self) -> SearchRecord:
        """search.json. Raises RunError where there is none."""
        try:
            return read_search(self.path)
        except (FileNotFoundError, NotADirectoryError):
            raise RunError(f"{self.path}: holds no {RECORD}, so it is not a search that has begun.") from None

    def seconds(self) -> float:
        """Seconds that all commands of this search have taken so far."""
        told = self.record().seconds if (self.path / RECORD).is_file() else 0.0
        spent = self.note(SPENT, SpentNote)
        return max(told, 0.0 if spent is None else spent.seconds)

    def forget_weights(self, folder: Path) -> None:
        """Delete the weights and states of a trial. Its plan, its events and its outcome stay: reports need no more."""
        state = folder / "state"
        for path in (folder / "model", state / "training", state / "training-cloze", folder / "adapter"):
            shutil.rmtree(path, ignore_errors=True)
        for name in ("tuned", "kept", "base", "scored", "cloze"):
            for ending in ("json", "safetensors"):
                (state / f"{name}.{ending}").unlink(missing_ok=True)

    @contextlib.contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """Inside, no other process is inside the block of this name. The system frees the lock when a process ends."""
        with self.lock_file(name) as descriptor:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield

    @contextlib.contextmanager
    def lock_file(self, name: str) -> Iterator[int]:
        with open_lock(self.state / "locks" / name) as descriptor:
            yield descriptor

    def take(self, name: str, holder: str = "") -> contextlib.ExitStack | None:
        """A lock that is held until the returned object is closed; None where another process has it.

        holder: the name of the process that takes it, which stays in the lock's file after the lock is free again.
        """
        with contextlib.ExitStack() as stack:
            descriptor = stack.enter_context(self.lock_file(name))
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return None
            if holder:
                with telling_disk_errors(self.state / "locks" / name):
                    os.lseek(descriptor, 0, os.SEEK_END)
                    os.write(descriptor, f"{holder}\n".encode())
            return stack.pop_all()
        raise AssertionError("unreachable")

    def held_by(self, holder: str) -> list[str]:
        """The names of the locks that a holder has taken at some time."""
        locks = sorted((self.state / "locks").glob("*"))
        return [path.name for path in locks if holder in lines_of(path)]


def lines_of(path: Path) -> list[str]:
    """The lines of a lock's file; none where it is no regular file."""
    with open_file(path) as file:
        return file.read().decode("utf-8", "replace").splitlines()
