"""A process of a search: it runs trials and tells the process that started it of each event, in a line of JSON."""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from luthier.errors import Interrupted, LuthierError, error_record
from luthier.events import Event
from luthier.interrupts import StopWish
from luthier.models.telemetry import disable_telemetry
from luthier.searching.ending import finish
from luthier.searching.folder import SearchFolder, holder_of
from luthier.searching.opening import open_search
from luthier.searching.reruns import confirm
from luthier.searching.trials import closed, waited, work


def worked(
    folder: SearchFolder, wish: StopWish, earlier: float, began: float, parent: int, alone: bool = False
) -> Iterator[tuple[int, Event]]:
    """Run trials as long as there are some, the best few on other seeds, and then the end, unless another process does.

    parent: the process that started this one.  alone: whether it starts others only once our first trial trains.
    """

    def stop() -> bool:
        return wish.asked or os.getppid() != parent  # whoever began us is gone

    if folder.finished:
        return  # by others, while this process began
    search = open_search(folder, stop, earlier, began, holder_of(began, os.getpid()), alone)
    yield from work(search)
    while not closed(search):
        yield from work(search)  # another command has begun a trial just now
    while not folder.finished:
        if stop():
            raise Interrupted(f"Interrupted. `luthier resume {folder.path}` goes on from here.")
        yield from confirm(search)
        lock = folder.take("end")
        if lock is not None:
            with lock:
                if not folder.finished:
                    yield from finish(search)
            return
        yield from waited(search)  # another process is at it, and may die


def main() -> None:
    disable_telemetry()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--earlier", type=float, default=0.0)
    parser.add_argument("--began", type=float, required=True)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--alone", action="store_true")
    asked = parser.parse_args()
    try:
        with StopWish().listening() as wish:
            times = asked.earlier, asked.began
            for number, event in worked(SearchFolder(asked.folder), wish, *times, asked.parent, asked.alone):
                tell({"trial": number, **event.to_json()})
    except LuthierError as error:
        tell(dict(error_record(error)))
        sys.exit(error.exit_code)


def tell(record: dict[str, object]) -> None:
    try:
        sys.stdout.write(json.dumps(record, ensure_ascii=False) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # `stop` will see that nobody listens


if __name__ == "__main__":
    main()
