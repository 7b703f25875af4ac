"""An embedding's rows, of which a step touches a few hundred of tens of thousands, and pays for those alone."""

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from luthier.models.master_weights import MasterWeights
from luthier.train.averaging import Averaging
from luthier.train.flat_parameters import Part, exact_of, listen

BETAS = (0.9, 0.999)
EPSILON = 1e-8
ROWS_OF_A_TABLE = 4_096
"""Fewest rows of an embedding that is stepped row by row: smaller ones cost next to nothing as a whole."""


class SparseEmbedding:
    """An embedding's rows, of which a step moves only those it read.

    A row that a step did not read keeps its weights and moments (as torch.optim.SparseAdam does it): what the data does
    not speak of stays as it was pre-trained. Moments take no memory until a row is read.
    """

    def __init__(self, part: Part, parameter: nn.Parameter, masters: MasterWeights | None) -> None:
        self.part = part
        self.master = exact_of(parameter, masters)
        self.working = masters.fast.get(id(parameter), self.master) if masters is not None else self.master
        shape = tuple(self.master.shape)
        # calloc: pages that are never written are never there.
        self.first = torch.from_numpy(np.zeros(shape, np.float32)).to(self.master.device, self.master.dtype)
        self.second = torch.from_numpy(np.zeros(shape, np.float32)).to(self.master.device, self.master.dtype)
        self.origin = torch.from_numpy(np.zeros(shape, np.float32)).to(self.master.device, self.master.dtype)
        """The pre-trained weights of the rows that were read."""
        self.touched = torch.zeros(shape[0], dtype=torch.bool, device=self.master.device)
        self.rows = torch.zeros(0, dtype=torch.int64)
        self.gradient = torch.zeros(0, shape[1])
        self.average = torch.from_numpy(np.zeros(shape, np.float32)).to(self.master.device, self.master.dtype)
        self.averaged_at = torch.zeros(shape[0], dtype=torch.int64, device=self.master.device)
        """Step at which each row's average was last brought up to date: between, the row did not move."""
        self.handles = [listen(self, 0, parameter)]

    def begin(self) -> None:
        """Let the next gradient be the first of its step, as `FlatParameters.begin` does."""
        self.rows, self.gradient = self.rows[:0], self.gradient[:0]

    def take(self, at: int, gradient: Tensor) -> None:
        """Add a micro-batch's gradient to the step's, as `FlatParameters.take` does; gradients of a row that was read several
        times are added up in the masters' precision."""
        rows = torch.cat([self.rows.to(gradient.device), gradient._indices()[0]])
        values = torch.cat([self.gradient.to(gradient.device), gradient._values().to(self.master.dtype)])
        self.rows, place = torch.unique(rows, return_inverse=True)
        self.gradient = values.new_zeros(len(self.rows), values.shape[1]).index_add_(0, place, values)

    def catch_up(self, rows: Tensor, averaging: Averaging) -> None:
        """Bring the averages of some rows up to date, as if every step since had added the unmoved row."""
        kept = averaging.kept(self.averaged_at[rows].cpu()).to(self.master).unsqueeze(1)
        self.average[rows] = self.master[rows].lerp(self.average[rows], kept)
        self.averaged_at[rows] = averaging.step

    def exchange(self, averaging: Averaging) -> None:
        """Swap the weights with their moving average."""
        rows = self.touched.nonzero()[:, 0]
        self.catch_up(rows, averaging)
        held = self.master[rows]
        self.master[rows], self.average[rows] = self.average[rows], held
        self.working[rows] = self.master[rows].to(self.working.dtype)

    def meet(self, averaging: Averaging | None) -> None:
        """Take note of the rows that are about to move."""
        new = self.rows[~self.touched[self.rows]]
        self.origin[new] = self.master[new]
        self.touched[self.rows] = True
        if averaging is not None:
            self.average[new], self.averaged_at[new] = self.master[new], averaging.step
            self.catch_up(self.rows, averaging)

    def step(self, lr: float, weight_decay: float, steps: int, factor: float, pull: float) -> None:
        """AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101, algorithm 2) on the rows that were read."""
        rows, gradient = self.rows, self.gradient * factor
        first = self.first[rows].lerp_(gradient, 1 - BETAS[0])
        second = self.second[rows].mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
        self.first[rows], self.second[rows] = first, second
        slope = second.sqrt().div_(math.sqrt(1 - BETAS[1] ** steps)).add_(EPSILON)
        moved = self.master[rows].mul_(1 - lr * weight_decay)
        moved.addcdiv_(first, slope, value=-lr / (1 - BETAS[0] ** steps))
        if pull and self.part.pulled:
            moved.lerp_(self.origin[rows], lr * pull)
        self.master[rows] = moved
        if self.working is not self.master:
            self.working[rows] = moved.to(self.working.dtype)

    def save(self, moments: bool) -> dict[str, Tensor]:
        """The rows that were ever read, as `Weights.save` has them; the others are the pre-trained model's."""
        rows = self.touched.nonzero()[:, 0]
        if not moments:
            return {"rows": rows, "master": self.working[rows].to(self.master.dtype)}
        names = ("master", "first", "second", "average", "averaged_at")
        return {"rows": rows} | {name: getattr(self, name)[rows] for name in names}

    def load(self, saved: Mapping[str, Tensor]) -> None:
        """Become what was saved; rows that were read only later go back to where they began."""
        later = self.touched.clone()
        rows = saved["rows"].to(self.master.device)
        later[rows] = False
        self.master[later] = self.origin[later]
        unseen = rows[~self.touched[rows]]
        self.origin[unseen] = self.master[unseen]
        self.master[rows] = saved["master"].to(self.master.device)
        if "first" in saved:
            self.first[later], self.second[later], self.touched[later] = 0.0, 0.0, False
            for name in ("first", "second", "average", "averaged_at"):
                getattr(self, name)[rows] = saved[name].to(self.master.device)
            self.touched[rows] = True
        if self.working is not self.master:
            moved = self.touched.clone() | later
            moved[rows] = True
            self.working[moved] = self.master[moved].to(self.working.dtype)


def looked_up(model: nn.Module) -> set[str]:
    """The names of weights that are embeddings and nothing else, such as a tied output layer: products with them are none."""
    users: dict[int, list[nn.Module]] = {}
    for module in model.modules():
        for weight in module.parameters(recurse=False):
            users.setdefault(id(weight), []).append(module)
    return {
        name
        for name, weight in model.named_parameters()
        if all(isinstance(user, nn.Embedding) for user in users[id(weight)])
    }


def table_names(model: nn.Module) -> dict[str, nn.Embedding]:
    """The embeddings that are stepped row by row: large, and their weight used by nothing else (no tied output layer)."""
    users: dict[int, int] = {}
    for module in model.modules():
        for weight in module.parameters(recurse=False):
            users[id(weight)] = users.get(id(weight), 0) + 1
    return {
        f"{name}.weight": module
        for name, module in model.named_modules()
        if isinstance(module, nn.Embedding)
        and module.num_embeddings >= ROWS_OF_A_TABLE
        and users[id(module.weight)] == 1
        and module.max_norm is None
        and not module.scale_grad_by_freq
    }
