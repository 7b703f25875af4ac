"""The tasks there are. A new one is a file, a row here, and a page in docs/tasks."""

from luthier.tasks.embedding import EMBEDDING
from luthier.tasks.image_classification import IMAGE_CLASSIFICATION
from luthier.tasks.kind import Kind
from luthier.tasks.pair_classification import PAIR_CLASSIFICATION
from luthier.tasks.question_answering import QUESTION_ANSWERING
from luthier.tasks.regression import REGRESSION
from luthier.tasks.text_classification import TEXT_CLASSIFICATION
from luthier.tasks.token_classification import TOKEN_CLASSIFICATION

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
    )
}
