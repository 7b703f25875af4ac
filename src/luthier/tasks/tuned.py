"""The tasks of models that were tuned elsewhere, by their heads. A task that has such models is a row here."""

from collections.abc import Callable

from luthier.models.hub.tuned_head import TunedHead
from luthier.tasks import regression
from luthier.tasks.adaptation import kind as adaptation
from luthier.tasks.chat import kind as chat
from luthier.tasks.classification import image, pair, text
from luthier.tasks.embedding import kind as embedding
from luthier.tasks.kind import Finished
from luthier.tasks.question_answering import kind as question_answering
from luthier.tasks.token_classification import kind as token_classification

OF_HEAD: dict[str, Callable[[TunedHead], Finished | None]] = {
    "text-classification": text.of_head,
    "pair-classification": pair.of_head,
    "regression": regression.of_head,
    "token-classification": token_classification.of_head,
    "question-answering": question_answering.of_head,
    "embedding": embedding.of_head,
    "image-classification": image.of_head,
    "chat": chat.of_head,
    "adaptation": adaptation.of_head,
}
"""By the name of a task. Each gives None where such a head does another task, and raises ModelError for one that would do this
task if the names of its outputs told which is which."""


def tasks_of(head: TunedHead) -> dict[str, Finished]:
    """By their names, the tasks that a head can do."""
    return {name: found for name, of_head in OF_HEAD.items() if (found := of_head(head)) is not None}
