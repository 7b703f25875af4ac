"""The tables of a plan's files: rows of one file or of shards, folders of images, and images that rows name."""

from collections.abc import Mapping
from pathlib import Path

from luthier.data.annotations.brat import is_brat
from luthier.data.formats.row_files import TABLES, ending
from luthier.data.images.files import every_image, holds_images, is_image_set, read_images
from luthier.data.images.folder import with_images_in
from luthier.data.images.shards import holds_shards, shards_for
from luthier.data.read import read
from luthier.data.table import Table
from luthier.data.writing import Writing
from luthier.errors import DataError, PlanError, listing
from luthier.plan.plan import Plan
from luthier.plan.sections import DataPlan
from luthier.prepare.task_columns import asked_columns
from luthier.tasks import TASKS


def read_files(plan: Plan) -> dict[str, Table]:
    """The table of each file, by the part it is for; `train` first. A folder of images may hold several parts."""
    files = {"train": plan.data.path, "valid": plan.data.valid, "test": plan.data.test}
    found: dict[str, Table] = {}
    for part, file in files.items():
        if file is not None and holds_shards(Path(file)):
            found |= shards_for(part, Path(file), writing_of(plan.data))
        elif file is not None and is_image_set(Path(file)) and not looks_like_rows(Path(file)):
            if plan.task.name in TASKS and not TASKS[plan.task.name].labelled:
                found[part] = every_image(Path(file))
                continue
            found |= images_for(part, Path(file), writing_of(plan.data))
        elif file is not None:
            table = read(Path(file), writing_of(plan.data))
            column = plan.data.image or (found["train"].layout.columns.get("image") if found else None)
            found[part] = with_its_images(plan, table, column)
    refuse_idle_folder(plan, found)
    return found


def images_for(part: str, path: Path, writing: Writing) -> dict[str, Table]:
    """The parts of a set of images that was named for one of them: for `train` all that it holds, else that part, or its only
    one. Raises DataError where the part is not there."""
    parts = read_images(path, writing)
    if part == "train":
        return parts
    if part not in parts and len(parts) > 1:
        raise DataError(
            f"{path}: holds images for {listing(parts)}, none for {part}. Name the folder that is meant: --{part} FOLDER."
        )
    return {part: parts[part] if part in parts else next(iter(parts.values()))}


def with_its_images(plan: Plan, table: Table, column: str | None) -> Table:
    """A file's table, told where the images lie that it names, if it may be one of images."""
    asked = {role for role, name in asked_columns(plan).items() if name is not None}
    if not any(
        plan.task.name in ("auto", kind.name) and any(asked <= roles for roles in kind.roles_in_files)
        for kind in TASKS.values()
    ):
        return table
    return with_images_in(table, None if plan.data.images is None else Path(plan.data.images), column)


def refuse_idle_folder(plan: Plan, tables: Mapping[str, Table]) -> None:
    """Raise PlanError for a folder of images that no file asks for."""
    if plan.data.images is not None and not any(table.image_names for table in tables.values()):
        raise PlanError(
            f"--images {plan.data.images}: no effect here, as no file of rows names images. Leave it out."
        )


def writing_of(data: DataPlan) -> Writing:
    """How the plan's files are written, as far as the plan says."""
    return Writing(data.encoding, data.delimiter, data.quoting)


def looks_like_rows(path: Path) -> bool:
    """Whether a folder was named in the place of a file in it: it has files of rows, or nothing at all; or is one of brat's."""
    if not path.is_dir():
        return False
    if is_brat(path):
        return True
    names = [entry.name for entry in path.iterdir()]
    return not names or (any(ending(Path(name)) in TABLES for name in names) and not holds_images(path))
