"""The plan's files as they were read."""

from collections.abc import Mapping
from dataclasses import dataclass

from luthier.data.split_column import SplitColumn
from luthier.data.table import Table
from luthier.plan.plan import Plan
from luthier.prepare.data_files import read_files
from luthier.prepare.parts import asked_roles, parted, roles_of
from luthier.prepare.task_columns import asked_columns, composed
from luthier.tasks.kind import Roles


@dataclass(frozen=True)
class Given:
    """The plan's files as they were read, by part, and what parts their rows."""

    read: Mapping[str, Table]
    tables: Mapping[str, Table]
    """Tables by part, with the columns that the user makes of several, and without a column that divides the rows."""
    own_split: SplitColumn | None
    asked: bool = False
    """Whether the rows are only asked of a finished model, so that those of every table but `train` are test rows."""
    as_they_stand: bool = False
    """Whether a text such as nan or N/A is one like any other, as for a library that knows no words for nothing."""

    @staticmethod
    def of(plan: Plan) -> "Given":
        """Read the files. Raises DataError for what cannot be read, PlanError for what has no effect on them."""
        read = read_files(plan)
        named = [name for name in (*asked_columns(plan).values(), plan.data.group) if name is not None]
        tables, own_split = parted(plan, composed(plan, read), named)
        return Given(read, tables, own_split)

    @property
    def first(self) -> Table:
        """The table that is learnt from, or is asked, whose columns the others have too."""
        return self.tables["test" if self.asked else "train"]

    @property
    def first_read(self) -> Table:
        """The first table as it was read."""
        return self.read["test" if self.asked else "train"]

    @property
    def roles(self) -> Roles:
        return asked_roles(self.tables) if self.asked else roles_of(self.tables, self.own_split)
