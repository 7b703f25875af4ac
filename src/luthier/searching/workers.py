"""The processes of a search, as the user's own process starts them, listens to them, replaces and stops them."""

import contextlib
import itertools
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from luthier.errors import Interrupted, WorldError, read_error
from luthier.events import Advanced, Event, Named, Noted, Started, Stepped, TrialBegan, TrialEnded, read_event
from luthier.machine import available_bytes, peak_of
from luthier.plan.search import SearchPlan
from luthier.searching.folder import DEATHS, OF_SEARCH, SearchFolder, holder_of

WORKER = (sys.executable, "-P", "-m", "luthier.searching.worker")
"""The command of a worker. -P: the current folder holds data, and a file optuna.py in it is no module of ours."""
ROOM = 1.25
"""Another process is started only if so many times the first one's peak memory is free."""
SETTLED = 10
"""Number of steps after which a trial's memory is known."""
GRACE = 30.0
"""Seconds that a process has to save its state when it is told to stop."""
PATIENCE = 5.0
"""Seconds that are waited for the last output of a process that has ended."""


def supervised(
    folder: SearchFolder, workers: "Workers", asked: SearchPlan, stop: Callable[[], bool]
) -> Iterator[Event]:
    """The events of all processes, until the search has ended."""
    told_to_stop = False
    while workers.running:
        if stop() and not told_to_stop:
            workers.stop()
            told_to_stop = True
        try:
            worker, record = workers.told.get(timeout=0.2)
        except queue.Empty:
            continue
        if record is not None and "error" in record:
            worker.error = record
        elif record is not None:
            number = record.pop("trial")
            event = read_event(record)
            if worth_showing(number, event):
                yield event
            if number == OF_SEARCH:
                workers.look_at(event)
                continue
            worker.trial = number
            known = isinstance(event, TrialEnded) or (isinstance(event, Stepped) and event.step >= SETTLED)
            if known and not told_to_stop:
                yield from workers.grow(worker, asked.workers)
        else:
            workers.running.remove(worker)
            code = worker.process.wait()
            yield from left(folder, workers, worker, code, told_to_stop)
    if told_to_stop or stop():
        raise Interrupted(
            f"Interrupted. `luthier resume {folder.path}` goes on with the trials that are left."
        )
    if not folder.finished:
        raise WorldError(f"No trial came to its end. {folder.path / 'search.json'} tells why.")


def worth_showing(number: int, event: Event) -> bool:
    """Whether a user wants to see an event of a search: its trials, but not each of their steps."""
    if number == OF_SEARCH or isinstance(event, (TrialBegan, TrialEnded, Named)):
        return True
    return isinstance(event, Noted) and event.warning


def left(
    folder: SearchFolder, workers: "Workers", worker: "Worker", code: int, stopping: bool
) -> Iterator[Event]:
    """Handle the end of a process: for good, by an error, or by a death, after which another takes its place."""
    if worker.error is not None and not (stopping and worker.error["kind"] == Interrupted.__name__):
        raise read_error(worker.error)
    if code == 0 or stopping:
        return
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    seconds = time.time() - workers.began
    if code > 0 or (worker.trial is None and not workers.running):
        raise WorldError(f"A process of the search ended with {how}: {last_words(worker)}")
    if worker.trial is None:
        words = f"A further process of the search ended with {how} as it began: the search goes on with {len(workers.running)}."
        yield Noted(words, seconds, warning=True)
        return
    workers.deaths += 1
    if workers.deaths > DEATHS:
        raise WorldError(
            f"A process of the search ended with {how}. So did {DEATHS} before it, and nothing ended in between: perhaps memory "
            f"runs out. Free some, or choose a smaller model; `luthier resume {folder.path}` goes on with what is left."
        )
    for words in lost(folder, holder_of(workers.began, worker.process.pid), how):
        yield Noted(words, seconds, warning=True)
    workers.start()


def lost(folder: SearchFolder, holder: str, how: str) -> list[str]:
    """Sentences on the work of a process that has died. The modules that read the record are imported only now."""
    from luthier.searching.crashes import abandoned

    return [
        f"The process of {one.what} ended with {how}. {'It is given up.' if one.failed else 'Another one goes on with it.'}"
        for one in abandoned(folder, holder, how)
    ] or [f"A process of the search ended with {how}. Another one takes its place."]


def last_words(worker: "Worker") -> str:
    """The last line that a process wrote to standard error."""
    worker.listener.join(PATIENCE)
    lines = [line for line in worker.complaint.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"


@dataclass
class Worker:
    """A process that runs trials."""

    process: subprocess.Popen[bytes]
    place: int
    """The process's number, which says which GPU it has on a machine with several."""
    trial: int | None = None
    """Number of the trial that it told of last."""
    error: dict[str, Any] | None = None
    complaint: bytes = b""
    """The last bytes that it wrote to standard error."""
    listener: threading.Thread = field(init=False)
    """The thread that reads its standard error."""


class Workers:
    """The processes of a search."""

    def __init__(self, folder: SearchFolder, earlier: float, began: float) -> None:
        self.folder, self.earlier, self.began = folder, earlier, began
        self.running: list[Worker] = []
        self.told: queue.Queue[tuple[Worker, dict[str, Any] | None]] = queue.Queue()
        self.grown = False
        self.step_name, self.count = "search", 0
        """The step of the search that all are at: trials (`search`), or runs on other `seeds`; and how many runs are wanted
        (0: as many as there is time for)."""
        self.ended: dict[str, int] = {}
        """Number of runs that have ended, by step."""
        self.deaths = 0
        """Number of processes that died one after the other, with no run ended in between."""

    @contextlib.contextmanager
    def at_work(self) -> Iterator["Workers"]:
        """Inside, processes may run; however the block ends, none is left behind."""
        try:
            yield self
        finally:
            self.stop()
            deadline = time.time() + GRACE
            for worker in self.running:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    worker.process.wait(max(0.1, deadline - time.time()))
                if worker.process.poll() is None:
                    worker.process.kill()
                    worker.process.wait()

    def start(self) -> None:
        """Start another process, in a session of its own: a Ctrl-C reaches it through us, once."""
        times = ["--earlier", str(self.earlier), "--began", str(self.began), "--parent", str(os.getpid())]
        alone = [] if self.running or self.grown else ["--alone"]
        command = [*WORKER, str(self.folder.path), *times, *alone]
        place = next(
            place for place in itertools.count() if all(worker.place != place for worker in self.running)
        )
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env={**os.environ, **seen_gpu(place, self.folder.gpus)},
        )
        worker = Worker(process, place)
        self.running.append(worker)
        worker.listener = threading.Thread(target=self.read_complaint, args=(worker,), daemon=True)
        worker.listener.start()
        threading.Thread(target=self.read, args=(worker,), daemon=True).start()

    def read(self, worker: Worker) -> None:
        """Worker on what a process tells; None when it has ended."""
        assert worker.process.stdout is not None, "it is piped"
        for line in worker.process.stdout:
            with contextlib.suppress(ValueError):  # torn by a kill, or a library's own words
                record = json.loads(line)
                if isinstance(record, dict):
                    self.told.put((worker, record))
        self.told.put((worker, None))

    def read_complaint(self, worker: Worker) -> None:
        assert worker.process.stderr is not None, "it is piped"
        for line in worker.process.stderr:
            worker.complaint = (worker.complaint + line)[-4000:]

    def look_at(self, event: Event) -> None:
        """How far the search is."""
        if isinstance(event, Started):
            if event.step_name != self.step_name:
                self.grown = False  # it is other work, for which others may be wanted
            self.step_name, self.count = event.step_name, event.expects
        if isinstance(event, Advanced):
            if event.done > self.over:  # and not what a new process finds done already
                self.deaths = 0
            self.ended[self.step_name] = event.done

    @property
    def over(self) -> int:
        return self.ended.get(self.step_name, 0)

    def grow(self, first: Worker, asked: int | None) -> Iterator[Event]:
        """Start as many more processes as were planned, once the memory of the first one is known, as far as they fit into it,
        and there are trials left for them."""
        if self.grown:
            return
        self.grown = True
        wanted = (asked or self.folder.default_workers) - len(self.running)
        if self.count:
            wanted = min(wanted, self.count - self.over - len(self.running))
        took = peak_of(first.process.pid)
        room = int(available_bytes() // (ROOM * took)) if took else wanted
        if room < wanted:
            words = f"Memory has room for {1 + room} trials at a time, not {1 + wanted}: one takes {took / 2**30:.1f} GiB."
            yield Noted(words, time.time() - self.began, warning=True)
        for _ in range(min(wanted, room)):
            self.start()

    def stop(self) -> None:
        for worker in self.running:
            with contextlib.suppress(ProcessLookupError):
                worker.process.send_signal(signal.SIGTERM)


def seen_gpu(place: int, gpus: int) -> dict[str, str]:
    """The environment of the process at a place: of several GPUs it sees one.

    >>> seen_gpu(3, 2), seen_gpu(0, 1)
    ({'CUDA_VISIBLE_DEVICES': '1'}, {})
    """
    if gpus < 2:
        return {}
    visible = os.environ.get("CUDA_VISIBLE_DEVICES") or ",".join(map(str, range(gpus)))
    return {"CUDA_VISIBLE_DEVICES": visible.split(",")[place % gpus]}
