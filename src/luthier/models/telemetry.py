"""Libraries that open models tell nobody that they run: each face of luthier says so before the first of them is imported."""

import os

SILENT = {"HF_HUB_DISABLE_TELEMETRY": "1"}
"""Variables that huggingface_hub reads when it is imported, and what they are set to unless the user has set them."""


def disable_telemetry() -> None:
    for name, value in SILENT.items():
        os.environ.setdefault(name, value)
