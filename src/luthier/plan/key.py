"""What of a plan is part of a run's key: the hash by which a folder knows the command that began it.

A setting that is not named here is part of the key only where it has another value than its default. So a setting that is new
breaks no older run, whose key was made without it: nobody has to say that it is new.
"""

from collections.abc import Collection
from typing import Any

from luthier.plan.section import Section

FIRST = {
    "data": "text text2 negative question image label group encoding delimiter valid_share test_share calibration_share "
    "split_seed long",
    "task": "name labels_per_row metric language",
    "model": "pooling pair hidden dropout body_dropout",
    "train": "method lr cloze epochs batch_rows layer_decay head_rate embeddings reinit schedule augment flip mix batch_norm "
    "label_smoothing balance l2_sp ema weight_decay warmup max_norm head validations patience",
    "run": "seed device precision threads micro_tokens",
    "search": "sampler vary trials prune seeds",
}
"""By section the settings of the first runs, which are part of a key whatever their value. No setting is ever added here."""

BESIDE = {
    "data": "path valid test allow warm_up unlabelled images general describe continues",
    "model": "name base",
    "train": "teacher",
    "run": "out budget recompute save_every cache cache_gb",
    "search": "workers storage on",
}
"""By section the settings that decide no result, and are part of no key: names of files and folders, whose contents count, where
the run is written or takes place, how long it may take, what is saved or computed again on the way, which findings are passed
over."""


def deciding(name: str, section: Section) -> dict[str, Any]:
    """The settings of a section that are part of a key. name: the section's."""
    first: Collection[str] = FIRST.get(name, "").split()
    told = section.model_dump(mode="json", exclude=set(BESIDE.get(name, "").split()))
    defaults = type(section).model_fields
    return {
        key: value
        for key, value in told.items()
        if key in first or getattr(section, key) != defaults[key].default
    }
