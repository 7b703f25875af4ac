"""Searching for the images that a table names: beside it, in a folder below, or in one that the user names."""

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from luthier.data.images.names import IMAGE_ENDINGS, Finder, ImageNames, folded, scheme_of, steps_of
from luthier.data.problems import Problems
from luthier.errors import counted, listing, shorten

ENOUGH = 0.5
"""A way of reading names is right when it finds at least this share of them. Those still missing are counted later."""
ALL = 0.9
"""That share where only the files show that a column names images at all; below it, a second folder may hold the rest."""
FEW = 20
"""Number of names that are tried before many are."""
DEEPEST = 4
"""The most levels of folders that are looked through."""
MOST_FOLDERS, MOST_ENTRIES = 2_000, 300_000
"""The most folders, and entries of one, that are looked through: a table may lie in a folder of everything."""


@dataclass(frozen=True)
class Folder:
    """A folder that holds images, in it or in folders below."""

    path: Path
    endings: tuple[str, ...]
    """Endings of these images, in order, as they are written."""


@dataclass(frozen=True)
class Wanted:
    """The names that are to be found."""

    sample: Sequence[str]
    """The names that are looked for."""
    every: Callable[[], Sequence[str]]
    """All names of the column, to see whether two of them would mean the same file."""
    bare: bool = False
    """Whether the names lack their endings."""

    @property
    def deepest(self) -> int:
        return max((len(steps_of(name)) for name in self.sample), default=1)


class Ambiguous(ValueError):
    """Several folders hold the images alike. The message names them."""


def where_images_lie(wanted: Wanted, beside: Path, named: Path | None) -> ImageNames | None:
    """The way in which these names lead to files; None where they do not.

    beside: the folder of the table.  named: the folder that the user says, which alone is searched then.
    Raises Ambiguous.
    """
    first = (named,) if named is not None else (beside, Path.cwd())
    own = ImageNames(first, rooted=named is None)
    needed = ALL if wanted.bare else ENOUGH
    if share_found(own, wanted.sample) >= needed:
        return own
    below = folders_below(first[0])
    for dropped in range(wanted.deepest):
        way = replace(own, dropped=dropped)
        if dropped and leads_two_to_one(wanted, dropped):
            return None
        for folder in dict.fromkeys(first):
            there = replace(way, folders=(folder,), endings=endings_for(wanted, folder, below))
            if (dropped or wanted.bare) and share_found(there, wanted.sample) >= needed:
                return there
        if found := in_folders(wanted, way, [one for one in below if one.path != first[0]], needed):
            return found
    return None


def endings_for(wanted: Wanted, folder: Path, below: Sequence[Folder]) -> tuple[str, ...]:
    """The endings that names may lack in a folder."""
    if not wanted.bare:
        return ("",)
    return next((one.endings for one in below if one.path == folder), ("",))


def in_folders(wanted: Wanted, way: ImageNames, below: Sequence[Folder], needed: float) -> ImageNames | None:
    """The one folder that holds what is named, or the several that share it. Raises Ambiguous."""
    few = wanted.sample[:: max(1, len(wanted.sample) // FEW)]
    alone = [replace(way, folders=(one.path,), endings=endings_for(wanted, one.path, below)) for one in below]
    shares = [(share_found(one, wanted.sample), one) for one in alone if share_found(one, few)]
    if not shares:
        return None
    most = max(share for share, _ in shares)
    best = [one for share, one in shares if share == most]
    endings = tuple(sorted({ending for _, one in shares for ending in one.endings}))
    together = replace(way, folders=tuple(one.folders[0] for _, one in shares), endings=endings)
    shared = share_found(together, wanted.sample)
    if most >= needed and (most == shared or shared < ALL or shared_twice(together, wanted)):
        if len(best) > 1:
            raise Ambiguous(listing([str(one.folders[0]) for one in best]))
        return best[0]
    if shared < max(needed, ALL):
        return None
    if shared_twice(together, wanted):
        raise Ambiguous(listing([str(one) for one in together.folders]))
    return together


def shared_twice(names: ImageNames, wanted: Wanted) -> bool:
    """Whether a name has a file in more than one folder."""
    finder = Finder(names)
    return any(len(list(finder.all(name))) > 1 for name in wanted.sample)


def share_found(names: ImageNames, sample: Sequence[str]) -> float:
    """Share of some names that have a file each; by endings that are put behind, one file only."""
    finder = Finder(names)
    if names.endings == ("",):
        return sum(finder.find(name) is not None for name in sample) / max(len(sample), 1)
    return sum(len(list(finder.all(name))) == 1 for name in sample) / max(len(sample), 1)


def leads_two_to_one(wanted: Wanted, dropped: int) -> bool:
    """Whether two names would mean one file if their first folders were left out."""
    tails: dict[tuple[str, ...], str] = {}
    for name in wanted.every():
        tail = tuple(map(folded, steps_of(name)[dropped:]))
        if tail and tails.setdefault(tail, name) != name:
            return True
    return False


def folders_below(root: Path) -> list[Folder]:
    """A folder and those below it that hold images, in or below them, in the order of their names; no links are followed."""
    waiting, entries_left = [(root, 0)], MOST_ENTRIES
    endings: dict[Path, set[str]] = {}
    while waiting and len(endings) < MOST_FOLDERS and entries_left > 0:
        folder, depth = waiting.pop(0)
        endings[folder] = set()
        inside = []
        # What may not be read, or is gone by now, holds nothing for this search.
        with contextlib.suppress(PermissionError, FileNotFoundError), os.scandir(folder) as entries:
            for entry in entries:
                entries_left -= 1
                if entry.is_dir(follow_symlinks=False):
                    if depth < DEEPEST and not entry.name.startswith((".", "__")):
                        inside.append((folder / entry.name, depth + 1))
                elif (ending := os.path.splitext(entry.name)[1]).lower() in IMAGE_ENDINGS:
                    endings[folder].add(ending)
        waiting += sorted(inside)
    for folder in reversed(list(endings)):
        if folder != root:
            endings[folder.parent] |= endings[folder]
    return [Folder(folder, tuple(sorted(found))) for folder, found in endings.items() if found]


def not_found(wanted: Wanted, file: Path, column: str, named: Path | None) -> str:
    """The message on names that lead to no file."""
    schemes = sorted({scheme for name in wanted.sample if (scheme := scheme_of(name))})
    if schemes and named is None:
        example = next(name for name in wanted.sample if scheme_of(name))
        return (
            f"{file}: column {column!r} holds addresses ({' and '.join(f'{one}://' for one in schemes)}), such as "
            f"{shorten(example)!r}, and nothing is fetched from the web. Download the images under their own names into a "
            "folder, and name it with --images FOLDER."
        )
    looked = (
        repr(str(named)) if named is not None else f"{str(file.absolute().parent)!r} and the folders below it"
    )
    missing = Problems()
    finder = Finder(ImageNames((named or file.absolute().parent,), rooted=named is None))
    for name in wanted.sample:
        if finder.find(name) is None:
            missing.add(repr(shorten(name)))
    mend = (
        "Name the folder that holds them with --images FOLDER"
        if named is None
        else "Name another --images FOLDER"
    )
    return (
        f"{file}: most of the {counted(len(set(wanted.every())), 'image')} that column {column!r} names are not to be found: "
        f"{missing}. Looked in {looked}. {mend}, or another column with --image COLUMN."
    )
