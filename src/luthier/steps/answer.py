"""`luthier predict`: a finished model over the rows of a file, or over the images of a folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from luthier.data.columns import check
from luthier.data.composed import with_texts
from luthier.data.images.folder import with_images_in
from luthier.data.missing import without_marks
from luthier.data.read import read
from luthier.data.table import Table
from luthier.data.writing import Writing
from luthier.errors import DataError, PlanError, RowsError, did_you_mean, listing
from luthier.folder.model_folder import ModelFolder
from luthier.plan.named_columns import column_flag
from luthier.predict import Predictions

TEXT = "text"


def answer_file(
    folder: ModelFolder,
    data: Path,
    named: Mapping[str, str | None],
    writing: Writing = Writing(),  # noqa: B008  it is frozen
    images: Path | None = None,
    error: float | None = None,
    explain: Sequence[str] = (),
) -> Predictions:
    """Answers for all rows, in their order.

    named: columns by role, where they are not called as in the run.  writing: how the file is written, where that is not to
    be found.  images: folder of the images that the file names, where they do not lie beside it.
    error: the largest share of wrong answers that is allowed.  explain: what each answer comes with.

    Raises DataError for rows that cannot be read, PlanError for a column that this model has no use for.
    """
    folder.refuse_promise(error)
    folder.refuse_explaining(explain)
    form, known = folder.form, folder.model_record.columns
    wanted = [role for role, told in form.roles.items() if told.predicts]
    for role, name in named.items():
        if name is not None and role not in wanted:
            flags = " and ".join(map(column_flag, wanted))
            raise PlanError(
                f"{column_flag(role, name)}: {folder.kind.name} reads no such column. Leave it out; there is {flags}."
            )
    of_folder = form.rows_of_folder(data)
    if of_folder is not None:
        table, columns = of_folder
    else:
        table = read(data, writing)
        columns = form.columns_to_answer(table, named, known)
        if form.file_role is not None or images is not None:
            table = with_images_in(table, images, columns.get(form.file_role or ""))
    if TEXT in columns:
        table = with_texts(table, columns[TEXT], "--text")
    for role, name in columns.items():
        check_column(data, table, role, name)
        if not form.roles[role].nested:
            check(table, name, role)
    texts = [name for role, name in columns.items() if form.roles[role].text]
    table, _ = without_marks(table, texts, (), folder.model_record.missing)
    try:
        return folder.answers(form.inputs(table, columns), error, explain)
    except RowsError as refused:
        raise refused.named(table.place) from refused


def check_column(data: Path, table: Table, role: str, name: str) -> None:
    if name not in table.names:
        raise DataError(
            f"{data}: there is no column {name!r}.{did_you_mean(name, table.names)} "
            f"Columns: {listing(table.names)}. Name the one that holds the {role} with {column_flag(role, 'COLUMN')}."
        )
