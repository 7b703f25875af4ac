"""The tasks there are. A new one is a file, a row here, and a page in docs/tasks."""

from luthier.forms.form import Form
from luthier.tasks.adaptation.kind import ADAPTATION
from luthier.tasks.chat.kind import CHAT
from luthier.tasks.classification.image import IMAGE_CLASSIFICATION
from luthier.tasks.classification.pair import PAIR_CLASSIFICATION
from luthier.tasks.classification.text import TEXT_CLASSIFICATION
from luthier.tasks.embedding.kind import EMBEDDING
from luthier.tasks.kind import Kind
from luthier.tasks.preference.kind import PREFERENCE
from luthier.tasks.question_answering.kind import QUESTION_ANSWERING
from luthier.tasks.regression import REGRESSION
from luthier.tasks.task import Task
from luthier.tasks.token_classification.kind import TOKEN_CLASSIFICATION

TASKS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        TEXT_CLASSIFICATION,
        PAIR_CLASSIFICATION,
        REGRESSION,
        TOKEN_CLASSIFICATION,
        QUESTION_ANSWERING,
        EMBEDDING,
        IMAGE_CLASSIFICATION,
        CHAT,
        PREFERENCE,
        ADAPTATION,
    )
}


def form_of(task: Task) -> Form:
    """What the rows of a task are made of, as that task reads them."""
    return TASKS[task.name].form(task)
