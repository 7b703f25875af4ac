"""export.json: what was exported beside it, and how far each file lies from the model that it was made of."""

from pathlib import Path

from luthier.records import Count, Finite, Name, Record, VersionedRecord, read_record, write_sealed

FILE = "export.json"


class WeightsRecord(Record):
    """The weights of one number type."""

    tensors: Count
    largest_difference: Finite
    largest_weight: Finite


class TokensRecord(Record):
    """Texts that become other token numbers than in the original."""

    texts: Count
    other_vocabulary: Count
    other_reader: Count


class PartingRecord(Record):
    """The first token of a greedy answer that the exported model chooses otherwise."""

    prompt: Count
    at: Count
    original: str
    exported: str
    original_margin: Finite | None
    exported_margin: Finite


class AnswersRecord(Record):
    """Greedy answers of the exported model beside those of the original."""

    prompts: Count
    prompts_from: Name
    agree: Count
    partings: list[PartingRecord]


class FileRecord(Record):
    """One file."""

    format: Name
    type: Name
    bytes: Count
    sha256: str
    made_of: str
    """The hash of weights, settings and vocabulary that it was written from."""
    weights: dict[str, WeightsRecord]
    tokens: TokensRecord
    answers: AnswersRecord
    notes: list[str]


class ExportsRecord(VersionedRecord):
    """export.json: the files in its folder, by their names."""

    files: dict[str, FileRecord]


def read_exports(folder: Path) -> dict[str, FileRecord]:
    """Return what was exported into a folder before, by file. Raises RunError for an export.json that is none."""
    try:
        return read_record(folder / FILE, ExportsRecord, mend="Move it away, or name another folder.").files
    except (FileNotFoundError, NotADirectoryError):
        return {}


def write_exports(folder: Path, files: dict[str, FileRecord]) -> None:
    """Write export.json; files that are no longer there are left out."""
    there = {name: told for name, told in files.items() if (folder / name).is_file()}
    write_sealed(folder / FILE, ExportsRecord(files=there))


def export_words(path: Path, found: FileRecord) -> str:
    """Return what an export ends with, as text of some lines."""
    answers, tokens = found.answers, found.tokens
    lines = [f"{path}   {found.format}, {found.type}, {found.bytes / 1e6:,.1f} MB", ""]
    for kind, told in found.weights.items():
        lines.append(
            f"  {kind:<5} {told.tensors:,} tensors; the largest difference of a weight is {told.largest_difference:.2g} "
            f"(weights reach {told.largest_weight:.3g})"
        )
    lines.append(f"  {tokens.texts:,} texts become the same tokens by its vocabulary and merges")
    if tokens.other_reader:
        lines.append(
            f"  {tokens.other_reader:,} of them become others in transformers, which cuts texts by rules of its own"
        )
    lines.append(
        f"  {answers.agree:,} of {answers.prompts:,} greedy answers are the original's, token by token ({answers.prompts_from})"
    )
    lines += [f"    {parting_words(one)}" for one in answers.partings]
    return "\n".join([*lines, *(f"  {note}" for note in found.notes)])


def parting_words(one: PartingRecord) -> str:
    """Return where two answers part, in a line."""
    margin = (
        "more than all its likeliest tokens"
        if one.original_margin is None
        else f"by {one.original_margin:.3g}"
    )
    return (
        f"prompt {one.prompt + 1}, token {one.at + 1}: {one.exported!r} ahead by {one.exported_margin:.3g} in place of "
        f"{one.original!r}, which the original has ahead {margin}"
    )
