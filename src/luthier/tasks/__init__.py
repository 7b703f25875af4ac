"""The tasks there are. A new one is a file, a row here, and a page in docs/tasks."""

from luthier.tasks.text_classification import TextClassification

TASKS = {TextClassification.name: TextClassification}
