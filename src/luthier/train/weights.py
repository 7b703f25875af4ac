"""The weights that train: fp32 masters and AdamW's moments, however many tensors a model has."""

import contextlib
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from luthier.models.master_weights import MasterWeights
from luthier.train.averaging import Averaging
from luthier.train.flat_parameters import FlatParameters, Part
from luthier.train.sparse_embedding import BETAS, EPSILON, Table, table_names

MOMENTS = {"first": "exp_avg", "second": "exp_avg_sq"}
"""AdamW's two moments as Kingma and Ba call them (arXiv:1412.6980), and as torch does."""


class Weights:
    """All that trains of a model. Between `begin` and `step` backward passes add up to the gradient of the sum over a step."""

    def __init__(
        self,
        model: nn.Module,
        parts: Sequence[Part],
        masters: MasterWeights | None = None,
        weight_decay: float = 0.0,
        pull: float = 0.0,
        ema: float = 0.0,
    ) -> None:
        """pull: of L2-SP, towards where pre-trained weights began, decoupled from the gradient as AdamW's decay is
        (Li et al. 2018, arXiv:1802.01483, eq. 4).  ema: decay of a moving average of the weights; 0 takes none.
        """
        self.masters, self.weight_decay, self.pull = masters, weight_decay, pull
        self.averaging = Averaging(ema) if ema else None
        named = dict(model.named_parameters())
        tables = table_names(model)
        chosen = {part.name for part in parts}
        for name, weight in named.items():
            weight.requires_grad_(name in chosen)
        for name, module in tables.items():
            module.sparse = name in chosen
        flat = [part for part in parts if part.name not in tables]

        def alike(part: Part) -> tuple[int, bool, bool, torch.dtype]:
            fast = masters.fast.get(id(named[part.name])) if masters is not None else None
            dtype = named[part.name].dtype if fast is None else fast.dtype
            return part.rung, not part.decayed, part.pulled and pull > 0, dtype

        flat.sort(key=lambda part: tuple(map(str, alike(part))))  # stable: inside, the order of the model
        self.slabs = [
            FlatParameters(same, [named[part.name] for part in same], masters)
            for same in (list(group) for _, group in itertools.groupby(flat, alike))
        ]
        for slab in self.slabs:
            if pull and slab.parts[0].pulled:
                slab.start = slab.master.data.clone()
            if ema:
                slab.average = slab.master.data.clone()
        self.tables = [Table(part, named[part.name], masters) for part in parts if part.name in tables]
        groups = [
            {"params": [slab.master], "weight_decay": weight_decay if slab.parts[0].decayed else 0.0}
            for slab in self.slabs
        ]
        fused = all(slab.master.is_floating_point() for slab in self.slabs)
        self.optimizer = (
            torch.optim.AdamW(groups, lr=0.0, betas=BETAS, eps=EPSILON, fused=fused) if groups else None
        )
        self.steps = dict.fromkeys(sorted({part.rung for part in parts}), 0)
        """Optimizer steps each rung has taken: one that thaws late has its own bias correction."""
        self.moving = set(self.steps)
        self.buffers = {name: tensor for name, tensor in model.named_buffers() if tensor.is_floating_point()}

    @property
    def count(self) -> int:
        """Numbers that train, tables of embeddings left out: a token uses one row of those."""
        return sum(slab.master.numel() for slab in self.slabs)

    def begin(self) -> None:
        """Begin a step: whatever goes backwards from now on adds to its gradient."""
        for slab in self.slabs:
            slab.begin()
        for table in self.tables:
            table.begin()

    def release(self) -> None:
        """Listen to no gradient any more: from here on others may train the same parameters."""
        handles = [*(slab.handles for slab in self.slabs), *(table.handles for table in self.tables)]
        for handle in itertools.chain.from_iterable(handles):
            handle.remove()

    def norm(self, weight: float) -> float:
        """Norm of the gradient of the step's mean, over what moves."""
        for slab in self.slabs:
            slab.settle()
        squares = [
            torch.linalg.vector_norm(slab.gradient) ** 2 for slab in self.slabs if self.moves(slab.parts[0])
        ]
        squares += [
            torch.linalg.vector_norm(table.gradient) ** 2 for table in self.tables if self.moves(table.part)
        ]
        return math.sqrt(float(sum(squares))) / weight if squares else 0.0

    def moves(self, part: Part) -> bool:
        return part.rung in self.moving

    def step(
        self, lr: float, scales: Mapping[int, float], weight: float, norm: float, max_norm: float
    ) -> None:
        """Move the weights by AdamW along the gradient of the step's mean, scaled down to `max_norm` if it is longer.

        scales: multiplier of `lr` by rung; what is zero does not move, and its moments wait.
        """
        factor = min(1.0, max_norm / (norm + 1e-6)) / weight
        self.moving = {rung for rung in self.steps if scales[rung] > 0}
        for rung in self.moving:
            self.steps[rung] += 1
        if self.optimizer is not None:
            for slab, group in zip(self.slabs, self.optimizer.param_groups, strict=True):
                rung = slab.parts[0].rung
                group["lr"] = lr * scales[rung]
                slab.master.grad = slab.gradient if rung in self.moving else None
            # The kernel divides by it on its way: clipping and averaging cost no pass of their own.
            self.optimizer.grad_scale = torch.tensor(1 / factor)  # type: ignore[attr-defined]
            self.optimizer.found_inf = torch.tensor(0.0)  # type: ignore[attr-defined]
            self.optimizer.step()
        for table in self.tables:
            if table.part.rung in self.moving:
                table.meet(self.averaging)
        if self.averaging is not None:
            self.averaging.advance()
        for slab in self.slabs:
            rung = slab.parts[0].rung
            if slab.start is not None and rung in self.moving:
                slab.master.data.lerp_(slab.start, lr * scales[rung] * self.pull)
            if slab.average is not None and self.averaging is not None:
                slab.average.lerp_(slab.master.data, 1 - self.averaging.last)
            slab.refresh()
        for table in self.tables:
            rung = table.part.rung
            if rung in self.moving:
                decay = self.weight_decay if table.part.decayed else 0.0
                table.step(lr * scales[rung], decay, self.steps[rung], factor, self.pull)
                if self.averaging is not None:
                    table.catch_up(table.rows, self.averaging)

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """Inside, the weights are their moving average, where one is taken."""
        self.exchange()
        try:
            yield
        finally:
            self.exchange()

    def exchange(self) -> None:
        if self.averaging is not None:
            for slab in self.slabs:
                slab.exchange()
            for table in self.tables:
                table.exchange(self.averaging)

    def save(self, moments: bool = True, lent: bool = False) -> dict[str, Tensor]:
        """All that has changed: with `moments` all that training goes on from, else weights and buffers as the model computes
        with them. Training finds weights that are good once they are rounded: those before the rounding were never looked at
        (docs/engine.md).

        Copies, or where `lent` the buffers themselves, which the next step changes: to be written at once.
        """

        def held(tensor: Tensor) -> Tensor:
            return tensor if lent else tensor.clone()

        found: dict[str, Tensor] = {}
        for at, slab in enumerate(self.slabs):
            found[f"slab {at}"] = held(slab.master.data) if moments else slab.computed()
            if moments and slab.average is not None:
                found[f"slab {at} average"] = held(slab.average)
            known = self.optimizer.state.get(slab.master, {}) if moments and self.optimizer else {}
            for short, name in MOMENTS.items():
                if name in known:
                    found[f"slab {at} {short}"] = held(known[name])
        for at, table in enumerate(self.tables):
            found |= {f"table {at} {name}": tensor for name, tensor in table.save(moments).items()}
        return found | {f"buffer {name}": held(tensor) for name, tensor in self.buffers.items()}

    def load(self, saved: Mapping[str, Tensor], steps: Mapping[int, int] | None = None) -> None:
        """Become what was saved. steps: of each rung, where moments were saved too."""
        for at, slab in enumerate(self.slabs):
            slab.master.data.copy_(saved[f"slab {at}"])
            slab.refresh()
            if slab.average is not None and f"slab {at} average" in saved:
                slab.average.copy_(saved[f"slab {at} average"])
            if steps is not None and self.optimizer is not None:
                names = {name: saved.get(f"slab {at} {short}") for short, name in MOMENTS.items()}
                known = {
                    name: tensor.to(slab.master.device)
                    for name, tensor in names.items()
                    if tensor is not None
                }
                taken = torch.tensor(float(steps[slab.parts[0].rung]), device=slab.master.device)
                self.optimizer.state[slab.master] = {"step": taken, **known} if known else {}
        for at, table in enumerate(self.tables):
            start = f"table {at} "
            table.load({name.removeprefix(start): saved[name] for name in saved if name.startswith(start)})
        for name, tensor in self.buffers.items():
            tensor.copy_(saved[f"buffer {name}"])
        if steps is not None:
            self.steps = dict(steps)
            if self.averaging is not None:
                self.averaging = Averaging(self.averaging.decay)
                for _ in range(max(steps.values(), default=0)):
                    self.averaging.advance()
