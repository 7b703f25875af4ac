"""The weights that train: fp32 masters and AdamW's moments, however many tensors a model has."""

import contextlib
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from luthier.devices import release_freed_memory
from luthier.models.master_weights import MasterWeights
from luthier.train.averaging import Averaging
from luthier.train.flat_parameters import FlatParameters, Part
from luthier.train.sparse_embedding import BETAS, EPSILON, SparseEmbedding, table_names

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
        """Take over the parameters that move in some epoch.

        pull: the strength of L2-SP, towards where pre-trained weights began, decoupled from the gradient as AdamW's decay is
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
        dense = [part for part in parts if part.name not in tables]

        def alike(part: Part) -> tuple[int, bool, bool, torch.dtype, float]:
            fast = masters.fast.get(id(named[part.name])) if masters is not None else None
            dtype = named[part.name].dtype if fast is None else fast.dtype
            return part.rung, not part.decayed, part.pulled and pull > 0, dtype, part.rate

        dense.sort(key=lambda part: tuple(map(str, alike(part))))  # stable: inside, the order of the model
        self.flat = [
            FlatParameters(same, [named[part.name] for part in same], masters)
            for same in (list(group) for _, group in itertools.groupby(dense, alike))
        ]
        for flat in self.flat:
            if pull and flat.parts[0].pulled:
                flat.start = flat.master.data.clone()
            if ema:
                flat.average = flat.master.data.clone()
        self.sparse = [
            SparseEmbedding(part, named[part.name], masters) for part in parts if part.name in tables
        ]
        groups = [
            {"params": [flat.master], "weight_decay": weight_decay if flat.parts[0].decayed else 0.0}
            for flat in self.flat
        ]
        fused = all(flat.master.is_floating_point() for flat in self.flat)
        self.optimizer = (
            torch.optim.AdamW(groups, lr=0.0, betas=BETAS, eps=EPSILON, fused=fused) if groups else None
        )
        self.steps = dict.fromkeys(sorted({part.rung for part in parts}), 0)
        """Optimizer steps that each rung has taken: one that thaws late has its own bias correction."""
        self.moving = set(self.steps)
        self.buffers = {name: tensor for name, tensor in model.named_buffers() if tensor.is_floating_point()}
        release_freed_memory()  # the places where the weights were before: the moments come beside what is kept

    @property
    def count(self) -> int:
        """How many numbers train, without sparse embeddings, of which a token uses one row."""
        return sum(flat.master.numel() for flat in self.flat)

    @property
    def bytes(self) -> int:
        """Bytes of what trains, without sparse embeddings."""
        return sum(int(flat.master.nbytes) for flat in self.flat)

    def begin(self) -> None:
        """Begin a step: whatever goes backwards from now on adds to its gradient."""
        for flat in self.flat:
            flat.begin()
        for sparse in self.sparse:
            sparse.begin()

    def release(self) -> None:
        """Listen to no gradient any more: from here on others may train the same parameters."""
        handles = [*(flat.handles for flat in self.flat), *(sparse.handles for sparse in self.sparse)]
        for handle in itertools.chain.from_iterable(handles):
            handle.remove()

    def forget_moments(self) -> None:
        """Free what only further steps would need."""
        if self.optimizer is not None:
            self.optimizer.state.clear()

    def norm(self, weight: float) -> float:
        """Norm of the gradient of the step's mean loss, over the parameters that move."""
        for flat in self.flat:
            flat.settle()
        squares = [
            torch.linalg.vector_norm(flat.gradient) ** 2 for flat in self.flat if self.moves(flat.parts[0])
        ]
        squares += [
            torch.linalg.vector_norm(sparse.gradient) ** 2
            for sparse in self.sparse
            if self.moves(sparse.part)
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
            for flat, group in zip(self.flat, self.optimizer.param_groups, strict=True):
                rung = flat.parts[0].rung
                group["lr"] = lr * scales[rung] * flat.parts[0].rate
                flat.master.grad = flat.gradient if rung in self.moving else None
            # The kernel divides by it on its way: clipping and averaging cost no pass of their own.
            self.optimizer.grad_scale = torch.tensor(1 / factor)  # type: ignore[attr-defined]
            self.optimizer.found_inf = torch.tensor(0.0)  # type: ignore[attr-defined]
            self.optimizer.step()
        for sparse in self.sparse:
            if sparse.part.rung in self.moving:
                sparse.meet(self.averaging)
        if self.averaging is not None:
            self.averaging.advance()
        for flat in self.flat:
            rung = flat.parts[0].rung
            if flat.start is not None and rung in self.moving:
                flat.master.data.lerp_(flat.start, lr * scales[rung] * self.pull)
            if flat.average is not None and self.averaging is not None:
                flat.average.lerp_(flat.master.data, 1 - self.averaging.last)
            flat.refresh()
        for sparse in self.sparse:
            rung = sparse.part.rung
            if rung in self.moving:
                decay = self.weight_decay if sparse.part.decayed else 0.0
                sparse.step(lr * scales[rung], decay, self.steps[rung], factor, self.pull)
                if self.averaging is not None:
                    sparse.catch_up(sparse.rows, self.averaging)

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
            for flat in self.flat:
                flat.exchange()
            for sparse in self.sparse:
                sparse.exchange(self.averaging)

    def save(self, moments: bool = True, lent: bool = False) -> dict[str, Tensor]:
        """All that has changed: with `moments` all that training goes on from, else weights and buffers as the model computes
        with them. Training finds weights that are good once they are rounded: those before the rounding were never looked at
        (docs/engine.md).

        Named `slab` and `table`, as the first versions called them: their states are gone on with.

        Copies, or where `lent` the buffers themselves, which the next step changes: to be written at once.
        """

        def held(tensor: Tensor) -> Tensor:
            return tensor if lent else tensor.clone()

        found: dict[str, Tensor] = {}
        for at, flat in enumerate(self.flat):
            found[f"slab {at}"] = held(flat.master.data if moments else flat.computed())
            if moments and flat.average is not None:
                found[f"slab {at} average"] = held(flat.average)
            known = self.optimizer.state.get(flat.master, {}) if moments and self.optimizer else {}
            for short, name in MOMENTS.items():
                if name in known:
                    found[f"slab {at} {short}"] = held(known[name])
        for at, sparse in enumerate(self.sparse):
            found |= {f"table {at} {name}": tensor for name, tensor in sparse.save(moments).items()}
        return found | {f"buffer {name}": held(tensor) for name, tensor in self.buffers.items()}

    def load(self, saved: Mapping[str, Tensor], steps: Mapping[int, int] | None = None) -> None:
        """Become what was saved. steps: the steps of each rung, where moments were saved too."""
        for at, flat in enumerate(self.flat):
            flat.master.data.copy_(saved[f"slab {at}"])
            flat.refresh()
            if flat.average is not None and f"slab {at} average" in saved:
                flat.average.copy_(saved[f"slab {at} average"])
            if steps is not None and self.optimizer is not None:
                names = {name: saved.get(f"slab {at} {short}") for short, name in MOMENTS.items()}
                known = {
                    name: tensor.to(flat.master.device)
                    for name, tensor in names.items()
                    if tensor is not None
                }
                taken = torch.tensor(float(steps[flat.parts[0].rung]), device=flat.master.device)
                self.optimizer.state[flat.master] = {"step": taken, **known} if known else {}
        for at, sparse in enumerate(self.sparse):
            start = f"table {at} "
            sparse.load({name.removeprefix(start): saved[name] for name in saved if name.startswith(start)})
        for name, tensor in self.buffers.items():
            tensor.copy_(saved[f"buffer {name}"])
        if steps is not None:
            self.steps = dict(steps)
            if self.averaging is not None:
                self.averaging = Averaging(self.averaging.decay)
                for _ in range(max(steps.values(), default=0)):
                    self.averaging.advance()
