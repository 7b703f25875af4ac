"""The weights that train: fp32 masters and AdamW's moments in a few flat buffers, however many tensors a model has.

A step over one flat buffer is one pass through memory, where a step over a hundred tensors is a hundred small ones. The
model computes with views: of the masters themselves in fp32, else of copies in the precision of training, refreshed
after each step. Word rows are apart: a step touches a few hundred of tens of thousands, and pays for those alone.
"""

import contextlib
import math
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
import torch
from torch import Tensor, nn

from luthier.models.twin import Twin

BETAS = (0.9, 0.999)
EPSILON = 1e-8
MOMENTS = {"first": "exp_avg", "second": "exp_avg_sq"}
"""AdamW's two moments as Kingma and Ba call them (arXiv:1412.6980), and as torch does."""
ALIGN = 16
"""Numbers to which each tensor's place in a buffer is rounded up: 64 bytes, a cache line and an AVX-512 register."""
ROWS_OF_A_TABLE = 4_096
"""From so many rows on an embedding is stepped row by row: smaller ones cost nothing."""


@dataclass(frozen=True)
class Part:
    """A parameter, and how it moves."""

    name: str
    rung: int
    """Rungs with one policy multiplier share a buffer; counted from the embeddings."""
    decayed: bool
    pulled: bool = False
    """Whether it comes from the pre-trained model, so that `pull` may draw it back there."""


@dataclass
class Averaging:
    """The decay of an exponential moving average over steps, small at first so that the beginning is soon forgotten."""

    decay: float
    logs: list[float] = field(default_factory=lambda: [0.0])
    """Logarithm of the product of all decays up to each step."""

    def advance(self) -> None:
        """One more step. As in TensorFlow's ExponentialMovingAverage: min(decay, (1 + step) / (10 + step))."""
        step = len(self.logs) - 1
        self.logs.append(self.logs[-1] + math.log(min(self.decay, (1 + step) / (10 + step))))

    def kept(self, since: Tensor) -> Tensor:
        """How much is left now of an average that was last brought up to date at the steps `since`."""
        logs = torch.tensor(self.logs, dtype=torch.float64)
        return (logs[-1] - logs[since]).exp()

    @property
    def last(self) -> float:
        """The decay of the last step."""
        return math.exp(self.logs[-1] - self.logs[-2])

    @property
    def step(self) -> int:
        return len(self.logs) - 1


def listen(holder: "Slab | Table", at: int, parameter: nn.Parameter) -> None:
    """Hand a parameter's gradient over as soon as a backward pass has it: still in cache, and its memory free at once."""
    known = weakref.ref(holder)

    def arrived(parameter: Tensor) -> None:
        holder, gradient = known(), parameter.grad
        if holder is not None and gradient is not None:
            parameter.grad = None
            holder.take(at, gradient)

    parameter.register_post_accumulate_grad_hook(arrived)  # type: ignore[no-untyped-call]


class Slab:
    """Parameters that move alike, side by side in one buffer."""

    def __init__(self, parts: Sequence[Part], parameters: Sequence[nn.Parameter], twin: Twin | None) -> None:
        self.parts, self.parameters = parts, parameters
        sizes = [-(-weight.numel() // ALIGN) * ALIGN for weight in parameters]
        starts = np.cumsum([0, *sizes])
        first = parameters[0]
        self.master = nn.Parameter(
            torch.zeros(int(starts[-1]), dtype=exact_of(first, twin).dtype, device=first.device)
        )
        self.gradient = torch.zeros_like(self.master)
        places = [
            slice(int(at), int(at) + weight.numel()) for at, weight in zip(starts, parameters, strict=False)
        ]
        self.views = [
            self.master.data[place].view(weight.shape)
            for place, weight in zip(places, parameters, strict=True)
        ]
        self.gradient_views = [
            self.gradient[place].view(weight.shape) for place, weight in zip(places, parameters, strict=True)
        ]
        for view, weight in zip(self.views, parameters, strict=True):
            view.copy_(exact_of(weight, twin))
        self.working: Tensor | None = None
        in_twin = twin is not None and id(first) in twin.fast
        if twin is not None and in_twin and twin.fast[id(first)].dtype != self.master.dtype:
            self.working = self.master.data.to(twin.dtype)
        for view, place, weight in zip(self.views, places, parameters, strict=True):
            shown = view if self.working is None else self.working[place].view(weight.shape)
            if twin is not None and in_twin:
                twin.exact[id(weight)], twin.fast[id(weight)] = view, shown
            weight.data = view
        self.start: Tensor | None = None
        """Where the weights began, if they are pulled back there."""
        self.average: Tensor | None = None
        self.begun = [False] * len(parameters)
        """Whether a gradient has arrived in this step."""
        for at, weight in enumerate(parameters):
            listen(self, at, weight)

    def begin(self) -> None:
        """Let the next gradient be the first of its step."""
        self.begun = [False] * len(self.parameters)

    def take(self, at: int, gradient: Tensor) -> None:
        """Add a micro-batch's gradient to the step's."""
        if self.begun[at]:
            self.gradient_views[at].add_(gradient)
        else:
            self.gradient_views[at].copy_(gradient)
        self.begun[at] = True

    def settle(self) -> None:
        """A weight that no gradient has reached has none."""
        for at, view in enumerate(self.gradient_views):
            if not self.begun[at]:
                self.take(at, torch.zeros_like(view))

    def exchange(self) -> None:
        """Change places with the average."""
        if self.average is not None:
            held = self.master.data.clone()
            self.master.data.copy_(self.average)
            self.average.copy_(held)
            self.refresh()

    def refresh(self) -> None:
        """Carry the masters into the copies the model computes with."""
        if self.working is not None:
            self.working.copy_(self.master.data)


class Table:
    """An embedding's rows, of which a step moves only those it read.

    A row that a step did not read keeps its weights and moments (as torch.optim.SparseAdam does it): what the data does
    not speak of stays as it was pre-trained. Moments take no memory until a row is read.
    """

    def __init__(self, part: Part, parameter: nn.Parameter, twin: Twin | None) -> None:
        self.part, self.parameter = part, parameter
        self.master = exact_of(parameter, twin)
        self.working = twin.fast.get(id(parameter), self.master) if twin is not None else self.master
        shape = tuple(self.master.shape)
        # calloc: pages that are never written are never there.
        self.first = torch.from_numpy(np.zeros(shape, np.float32)).to(self.master.device, self.master.dtype)
        self.second = torch.from_numpy(np.zeros(shape, np.float32)).to(self.master.device, self.master.dtype)
        self.origin = torch.from_numpy(np.zeros(shape, np.float32)).to(self.master.device, self.master.dtype)
        """What the rows that were read held before."""
        self.touched = torch.zeros(shape[0], dtype=torch.bool, device=self.master.device)
        self.rows = torch.zeros(0, dtype=torch.int64)
        self.gradient = torch.zeros(0, shape[1])
        self.average = torch.from_numpy(np.zeros(shape, np.float32)).to(self.master.device, self.master.dtype)
        self.averaged_at = torch.zeros(shape[0], dtype=torch.int64, device=self.master.device)
        """Step at which each row's average was last brought up to date: between, the row did not move."""
        listen(self, 0, parameter)

    def begin(self) -> None:
        """As `Slab.begin`."""
        self.rows, self.gradient = self.rows[:0], self.gradient[:0]

    def take(self, at: int, gradient: Tensor) -> None:
        """As `Slab.take`; gradients of a row that was read several times are added up in the masters' precision."""
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
        """Change places with the average."""
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
        """The rows that were ever read; the others are the pre-trained model's."""
        rows = self.touched.nonzero()[:, 0]
        names = ("master", "first", "second", "average", "averaged_at") if moments else ("master",)
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


class Weights:
    """All that trains of a model. Between `begin` and `step` backward passes add up to the gradient of the sum over a step."""

    def __init__(
        self,
        model: nn.Module,
        parts: Sequence[Part],
        twin: Twin | None = None,
        weight_decay: float = 0.0,
        pull: float = 0.0,
        ema: float = 0.0,
    ) -> None:
        """pull: of L2-SP, towards where pre-trained weights began, decoupled from the gradient as AdamW's decay is
        (Li et al. 2018, arXiv:1802.01483, eq. 4).  ema: decay of a moving average of the weights; 0 takes none.
        """
        self.twin, self.weight_decay, self.pull = twin, weight_decay, pull
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
            fast = twin.fast.get(id(named[part.name])) if twin is not None else None
            dtype = named[part.name].dtype if fast is None else fast.dtype
            return part.rung, not part.decayed, part.pulled and pull > 0, dtype

        flat.sort(key=lambda part: tuple(map(str, alike(part))))  # stable: inside, the order of the model
        self.slabs = [
            Slab(same, [named[part.name] for part in same], twin)
            for same in (list(group) for _, group in groupby(flat, alike))
        ]
        for slab in self.slabs:
            if pull and slab.parts[0].pulled:
                slab.start = slab.master.data.clone()
            if ema:
                slab.average = slab.master.data.clone()
        self.tables = [Table(part, named[part.name], twin) for part in parts if part.name in tables]
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

    def begin(self) -> None:
        """Begin a step: whatever goes backwards from now on adds to its gradient."""
        for slab in self.slabs:
            slab.begin()
        for table in self.tables:
            table.begin()

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
        """All that has changed: weights and buffers, and with `moments` AdamW's too.

        Copies, or where `lent` the buffers themselves, which the next step changes: to be written at once.
        """

        def held(tensor: Tensor) -> Tensor:
            return tensor if lent else tensor.clone()

        found: dict[str, Tensor] = {}
        for at, slab in enumerate(self.slabs):
            found[f"slab {at}"] = held(slab.master.data)
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


def exact_of(weight: nn.Parameter, twin: Twin | None) -> Tensor:
    """A weight in fp32 (or as the model has it, where it is finer)."""
    return weight.data if twin is None else twin.exact.get(id(weight), weight.data)


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
