"""Rows of one label are brought together, and all others apart: the loss of each pair, by hand and by autograd."""

import itertools

import numpy as np
import pytest
import torch
from torch.nn import functional

from luthier.tasks.contrast import squared_gaps


def test_it_is_the_mean_over_pairs_of_each_kind() -> None:
    dice = np.random.default_rng(0)
    features, labels = dice.standard_normal((7, 4)), np.array([0, 0, 1, 1, 1, 2, 0])
    units = features / np.linalg.norm(features, axis=1, keepdims=True)
    near, far = [], []
    for one, two in itertools.combinations(range(7), 2):
        cosine = float(units[one] @ units[two])
        if labels[one] == labels[two]:
            near.append((1 - cosine) ** 2)
        else:
            far.append(cosine**2)
    found = squared_gaps(torch.from_numpy(features), torch.from_numpy(labels))
    assert float(found) == pytest.approx(np.mean(near) + np.mean(far))


@pytest.mark.parametrize("labels", [[0, 1, 2], [1, 1, 1], [3]])
def test_pairs_of_a_kind_that_there_are_none_of_count_for_nothing(labels: list[int]) -> None:
    features = torch.randn(len(labels), 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    found = squared_gaps(features, torch.tensor(labels))
    found.backward()
    assert torch.isfinite(found)
    assert features.grad is not None
    assert torch.isfinite(features.grad).all()


def test_a_step_brings_a_label_together_and_others_apart() -> None:
    features = torch.randn(6, 3, generator=torch.Generator().manual_seed(1)).requires_grad_()
    labels = torch.tensor([0, 0, 0, 1, 1, 1])
    for _ in range(200):
        (slope,) = torch.autograd.grad(squared_gaps(features, labels), features)
        features = (features - 0.5 * slope).detach().requires_grad_()
    cosines = functional.normalize(features.detach(), dim=1)
    cosines = cosines @ cosines.T
    assert cosines[0, 1] > 0.95
    assert abs(float(cosines[0, 4])) < 0.1
