"""The model that learns, where the user names none, or names it by its teacher."""

from luthier.errors import PlanError
from luthier.models.static.making import STATIC
from luthier.plan.places import MADE, PACKAGED
from luthier.plan.plan import Plan
from luthier.prepare.rows import Rows
from luthier.prepare.teacher import finished_teacher, refuse_other_teacher


def with_model(plan: Plan, rows: Rows) -> Plan:
    """The plan with the model that suits its rows, where the user names none: with a teacher a table of word vectors made of it,
    where rows are single texts.

    Raises PlanError for `static` alone where no teacher says of what the table is to be made, and for a teacher of other rows,
    and RunError for one that is none, before a table is made in vain.
    """
    named, teacher = "name" in plan.model.model_fields_set, plan.train.teacher
    single_texts = "model.pooling" in rows.form.effects
    if teacher is not None:
        theirs = finished_teacher(teacher).task
        if single_texts and rows.task.teaching is not None:  # how pairs are read is known later only
            refuse_other_teacher(teacher, theirs, rows.task)
    if named and plan.model.name != STATIC:
        return plan
    if named and teacher is None:
        raise PlanError(
            "model.name: 'static' is a table of word vectors made of a teacher, and no teacher is named. Name one with --teacher "
            f"RUN, or the encoder that it is to be made of: --model {MADE}{PACKAGED}"
        )
    if teacher is not None and (named or single_texts):
        return plan.with_settings({"model.name": f"{MADE}{teacher}"})
    return plan.with_settings({"model.name": rows.form.model})


def how_student_is_named(asked: Plan, plan: Plan, rows: Rows) -> str:
    """Why a plan has the model that it has, where the user asked for another, or for none."""
    if plan.model.name.startswith(MADE):
        return "a table of word vectors, made of the teacher"
    return f"for a {rows.form.thing}, as none was named"
