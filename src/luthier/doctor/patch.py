"""Making a corrected copy of a file, and going back from it to the original.

What is not changed is carried over as it stands, so that a patch undone gives the file back byte for byte.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from luthier.data.formats.text_files import TextFile
from luthier.data.raw_bytes import open_bytes
from luthier.data.writing import Writing
from luthier.doctor.patch_file import DELETE, Edit, Patch, read_patch, write_patch
from luthier.doctor.row_format import Format, content_digest, encoded, lines_of, rewrite, writing
from luthier.errors import DataError
from luthier.files import whole_file


def correct(
    form: Format, edits: Iterable[Edit], starts: Sequence[int], fixed: Path, patch: Path
) -> list[Edit]:
    """Write a file's corrected copy, and the patch that leads there and back. Returns the edits as they were made.

    starts: the line where each row of the file begins, in order; a row reaches to the next one.
    Raises DataError when the file cannot be written back byte for byte.
    """
    by_line = {
        line: list(same)
        for line, same in groupby(sorted(edits, key=lambda one: one.line), lambda one: one.line)
    }
    following = dict(zip(starts, [*starts[1:], None], strict=True))
    made: list[Edit] = []

    def rows(lines: Iterator[str]) -> Iterator[str]:
        number = 1
        for line in lines:
            asked = by_line.get(number)
            if asked is None:
                number += 1
                yield line
                continue
            end = following[number]
            raw = [line]
            while end is not None and number + len(raw) < end:
                raw.append(next(lines))
            if end is None:
                raw += lines
            number += len(raw)
            own = [replace(one, raw="".join(raw)) for one in asked]
            made.extend(own)
            yield replaced(form, own)

    before, after = rewrite(form.file, fixed, rows)
    digest = hashlib.sha256()
    for piece in undone(form, fixed, made):
        digest.update(piece)
    if digest.hexdigest() != before:
        fixed.unlink()
        raise DataError(
            f"{form.file.path}: its encoding ({form.file.encoding}) cannot be written back byte for byte. Save it as UTF-8."
        )
    write_patch(patch, form.file.path.name, made, before, after)
    return made


def check_unedited(patch_path: Path, fixed: Path) -> None:
    """Raise DataError rather than write over a patch, or a corrected copy, that somebody has edited."""
    patch = read_patch(patch_path) if patch_path.exists() else None
    if patch is not None and patch.edited:
        raise DataError(
            f"{patch_path}: was edited by hand since it was written. --apply {patch_path} uses it; rename or delete it to "
            "make a new one."
        )
    check_copy(fixed, patch)


def check_copy(fixed: Path, patch: Patch | None) -> None:
    """Raise DataError where a corrected copy is not the one that its patch leads to."""
    if fixed.exists() and (patch is None or content_digest(fixed) != patch.after):
        raise DataError(
            f"{fixed}: is there already, and was changed by hand. Rename or delete it to make a new one."
        )


def replaced(form: Format, edits: Sequence[Edit]) -> str:
    """The text in the corrected copy in place of a row."""
    if any(one.what == DELETE for one in edits):
        return ""
    return form.changed(edits[0].raw, {one.column: one.new for one in edits})


def apply(form: Format, patch_path: Path, starts: Sequence[int], fixed: Path) -> list[Edit]:
    """Write the corrected copy of a file by a patch as it now stands, edited or not; the patch leads back from there too.

    Raises DataError when the patch is of other contents.
    """
    patch = read_patch(patch_path)
    digest = content_digest(form.file.path)
    if digest != patch.before:
        raise DataError(
            f"{form.file.path}: is not the file that {patch_path} was made for ({patch.name}), or was changed since. "
            "Make a new patch with --fix KINDS."
        )
    begins = set(starts)
    strange = [one for one in patch.edits if one.line not in begins]
    if strange:
        raise DataError(
            f"{patch_path}: no row begins on line {strange[0].line} of {form.file.path}. Correct the number."
        )
    check_copy(fixed, patch)
    return correct(form, patch.edits, starts, fixed, patch_path)


def undo(fixed: Path, patch_path: Path, target: Path, written: Writing) -> None:
    """Write the file that a corrected copy was made of. Raises DataError when the copy was changed since."""
    patch, form = read_patch(patch_path), Format.of(fixed, written)
    if patch.edited or content_digest(fixed) != patch.after:
        raise DataError(
            f"{fixed}: is not the copy that {patch_path} leads to: one of them was changed since. "
            f"--apply {patch_path} on {patch.name} makes them fit again."
        )
    digest = hashlib.sha256()
    with whole_file(target) as path, writing(path, target.suffix.lower() == ".gz") as out:
        for piece in undone(form, fixed, patch.edits):
            digest.update(piece)
            out.write(piece)
        assert digest.hexdigest() == patch.before, "a patch that was verified leads back"


def undone(form: Format, fixed: Path, edits: Iterable[Edit]) -> Iterator[bytes]:
    """The bytes of the original, from its corrected copy and the edits that were made, in their order."""
    grouped = {line: list(same) for line, same in groupby(edits, lambda one: one.line)}
    copy = TextFile(fixed, form.file.encoding, found=False)

    def rows(lines: Iterator[str]) -> Iterator[str]:
        number = 1
        while True:
            while number in grouped:
                own = grouped[number]
                for _ in lines_of(replaced(form, own)):
                    next(lines)
                yield own[0].raw
                number += len(lines_of(own[0].raw))
            line = next(lines, None)
            if line is None:
                return
            number += 1
            yield line

    with open_bytes(fixed) as raw:
        head = raw.read(4)
    with copy.open() as lines:
        yield from encoded(form.file, head, rows(iter(lines)))
