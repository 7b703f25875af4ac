"""A model for a task: the body of a folder under a head of its own, new or as luthier saved it."""

import torch

from luthier import seeds
from luthier.models.headed import HeadedModel
from luthier.models.heads import HEADS
from luthier.models.heads.head import Saved, Wanted
from luthier.models.hub.inspect import Folder
from luthier.models.kernels.dropout import use_hashed_dropout
from luthier.models.readers.images import Preparation


def load_model(folder: Folder, wanted: Wanted, preparation: Preparation | None = None) -> HeadedModel:
    """The model of a folder, in fp32, with a new head. preparation: of a model that reads images.

    Raises ModelError when the folder holds no such model.
    """
    torch.manual_seed(seeds.derive(wanted.seed, "fresh layers"))
    model: HeadedModel = HEADS[wanted.head].build(folder, wanted, preparation)
    use_hashed_dropout(model.eval())
    return model


def reload_model(folder: Folder, saved: Saved, preparation: Preparation | None = None) -> HeadedModel:
    """A model that luthier saved, its head included. preparation: of a model that reads images.

    Raises ModelError where the folder holds it no longer.
    """
    model: HeadedModel = HEADS[saved.head].reopen(folder, saved, preparation)
    return model.eval()
