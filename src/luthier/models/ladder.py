"""The ladder: a model as its ordered rungs, embeddings, block 0..n-1, head, found in the model itself.

No architecture needs a table row. Candidates for blocks are the lists of equal modules in the module tree; the autograd
graph of one small forward pass tells which of them is a chain, where every activation from below comes through the block
before, and from which block's output on a parameter has a say. No backward pass is run: it costs as much for a large
model as for a small one.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import torch
from torch import Tensor, nn

from luthier.errors import ModelError

Node = Any
"""A node of torch's autograd graph; torch gives it no public type of its own."""


@dataclass(frozen=True)
class Rung:
    """One step of the ladder."""

    name: str
    """`embeddings`, `block 0`, ..., `head`; with two towers `encoder block 0`, `decoder block 0`, ..."""
    module: str | None
    """Path of the block in the model; None for embeddings and head, which may be spread over several modules."""
    parameters: tuple[str, ...]


@dataclass(frozen=True)
class Ladder:
    """The rungs of a model, the lowest first and the head last. Every parameter is on one rung, or idle."""

    rungs: tuple[Rung, ...]
    before: tuple[str, ...] = ()
    """Paths of the modules that run before the first block: they are the embeddings."""
    idle: tuple[str, ...] = ()
    """Parameters that have no say in the output, such as an unused pooler's."""
    note: str | None = None
    """What is unusual about this model's rungs."""

    @property
    def blocks(self) -> tuple[str, ...]:
        """Paths of the blocks, in the order in which they run."""
        return tuple(rung.module for rung in self.rungs if rung.module is not None)

    def below_head(self, rung: int) -> int:
        """How many rungs lie from a rung up to the head: 0 is the head itself.

        >>> Ladder(tuple(Rung(name, None, ()) for name in ("embeddings", "block 0", "head"))).below_head(0)
        2
        """
        return len(self.rungs) - 1 - rung


@dataclass
class Seen:
    """What one forward pass showed of a module: what went into its first call and came out of its last."""

    entered: Node
    left: Node
    calls: int
    order: int


def find_ladder(model: nn.Module, run: Callable[[], Any]) -> Ladder:
    """The rungs of a model. run() gives its output on some small input; the model is left as it was.

    A parameter belongs to the lowest rung whose output it reaches, wherever in the module tree it lives.
    Raises ModelError when the output depends on no parameter.
    """
    lists = block_lists(model)
    names = {name for paths in lists for name in paths}
    seen, order, output = watch(model, names, run)
    chains = [chain for chain in candidates(lists, seen, order) if is_chain_of(chain, seen)]
    blocks = max(chains, key=lambda chain: (sum(map(len, chain)), -chain[0][0].count(".")), default=[])
    return build(model, blocks, seen, order, output)


def first_tensor(value: Any) -> Tensor | None:
    """The first floating-point tensor in what a module takes or gives."""
    if isinstance(value, Tensor):
        return value if value.is_floating_point() else None
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, tuple | list):
        return next((found for found in map(first_tensor, value) if found is not None), None)
    return None


def block_lists(model: nn.Module) -> list[list[str]]:
    """Paths of the children of every list of equal modules with weights."""
    found = []
    for name, module in model.named_modules():
        children = list(module.named_children())
        if not isinstance(module, nn.ModuleList | nn.Sequential) or not children:
            continue
        kinds = {type(child) for _, child in children}
        if len(kinds) == 1 and any(True for _, child in children for _ in child.parameters()):
            found.append([f"{name}.{child}" if name else child for child, _ in children])
    return found


def watch(
    model: nn.Module, blocks: set[str], run: Callable[[], Any]
) -> tuple[dict[str, Seen], dict[str, int], Node]:
    """One forward pass: what was seen of the blocks, when each module first ran, and the output's graph node."""
    seen: dict[str, Seen] = {}
    order: dict[str, int] = {}
    held = []  # a block's own nodes, so that an input that is a parameter's or nobody's output can be told apart

    def before(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any, kwargs: Any) -> None:
            order.setdefault(name, len(order))
            if name in blocks and name not in seen:
                entered = first_tensor([args, kwargs])
                seen[name] = Seen(None if entered is None else entered.grad_fn, None, 0, order[name])

        return hook

    def after(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any, output: Any) -> None:
            left = first_tensor(output)
            if left is not None:
                seen[name].left = left.grad_fn
                seen[name].calls += 1
                held.append(left)

        return hook

    training, asked = (
        model.training,
        {name: weight.requires_grad for name, weight in model.named_parameters()},
    )
    hooks = []
    for name, module in model.named_modules():
        hooks.append(module.register_forward_pre_hook(before(name), with_kwargs=True))
        if name in blocks:
            hooks.append(module.register_forward_hook(after(name)))
    try:
        model.eval()
        for weight in model.parameters():
            weight.requires_grad_(weight.is_floating_point())
        with torch.enable_grad():
            output = first_tensor(run())
    finally:
        for hook in hooks:
            hook.remove()
        model.train(training)
        for name, weight in model.named_parameters():
            weight.requires_grad_(asked[name])
    if output is None or output.grad_fn is None:
        raise ModelError("The model's output depends on none of its weights, so there is nothing to train.")
    return {name: found for name, found in seen.items() if found.left is not None}, order, output.grad_fn


def candidates(
    lists: list[list[str]], seen: dict[str, Seen], order: dict[str, int]
) -> Iterator[list[list[str]]]:
    """Chains to try: each list alone, all lists of like shape as one chain, and the same as towers of their own."""
    ran = [
        sorted((name for name in paths if name in seen), key=lambda name: seen[name].order) for paths in lists
    ]
    ran = [paths for paths in ran if paths]
    like: dict[str, list[list[str]]] = {}
    for paths in sorted(ran, key=lambda paths: seen[paths[0]].order):
        like.setdefault(shape_of(paths[0]), []).append(paths)
        yield [paths]
    for group in like.values():
        if len(group) > 1:
            yield [[name for paths in group for name in paths]]
    # A list inside of a numbered block is a part of the block, not a tower.
    towers = [paths for paths in ran if len(paths) > 1 and shape_of(paths[0]).count("#") == 1]
    by_end: dict[str, list[list[str]]] = {}
    for paths in towers:
        by_end.setdefault(paths[0].split(".")[-2], []).append(paths)
    for group in by_end.values():
        if len(group) > 1:
            yield group


def shape_of(path: str) -> str:
    """A path with its numbers left out: the lists inside of equal stages have one.

    >>> shape_of("encoder.stages.1.layers.0")
    'encoder.stages.#.layers.#'
    """
    return ".".join("#" if part.isdigit() else part for part in path.split("."))


def is_chain_of(towers: list[list[str]], seen: dict[str, Seen]) -> bool:
    """Whether within each tower all that a block knows from below came through the block before it."""
    return all(is_chain(tower, seen) for tower in towers)


def is_chain(blocks: Sequence[str], seen: dict[str, Seen]) -> bool:
    """Walk down from each block's output, not past the output before: no earlier activation may be met.

    What depends on no block (relative positions, a mask) may be shared. A convolution inside a residual block fails
    this, as what it is added to went around it.
    """
    outside = seen[blocks[0]].entered
    earlier = set() if outside is None else {outside}
    barrier = outside
    for name in blocks:
        met = set(walk([seen[name].left], {barrier} if barrier is not None else set()))
        if (met & earlier) - {barrier}:
            return False
        barrier = seen[name].left
        earlier.add(barrier)
    return True


def walk(starts: Sequence[Node], barriers: set[Node]) -> Iterator[Node]:
    """All graph nodes under some, those behind a barrier left out; nodes stay alive while they are compared."""
    waiting, met = [node for node in starts if node is not None], set()
    while waiting:
        node = waiting.pop()
        if node in met:
            continue
        met.add(node)
        yield node
        if node not in barriers:
            waiting += [below for below, _ in node.next_functions if below is not None]


def build(
    model: nn.Module, towers: list[list[str]], seen: dict[str, Seen], order: dict[str, int], output: Node
) -> Ladder:
    """Deal the parameters out to the rungs, from below."""
    name_of = {id(weight): name for name, weight in model.named_parameters()}
    blocks = [name for tower in towers for name in tower]
    left_over = dict.fromkeys(name_of.values())

    def take(starts: Sequence[Node]) -> tuple[str, ...]:
        reached = {
            name_of.get(id(node.variable)) for node in walk(starts, set()) if hasattr(node, "variable")
        }
        found = tuple(name for name in left_over if name in reached)
        for name in found:
            del left_over[name]
        return found

    rungs = []
    if blocks:
        rungs.append(Rung("embeddings", None, take([seen[blocks[0]].entered])))
    else:
        rungs.append(Rung("embeddings", None, ()))
    for tower in towers:
        prefix = tower_name(tower, towers)
        for at, name in enumerate(tower):
            rungs.append(Rung(f"{prefix}block {at}", name, take([seen[name].left])))
    rungs.append(Rung("head", None, take([output])))
    first = seen[blocks[0]].order if blocks else 0
    ancestors = {name.rsplit(".", at)[0] for name in blocks for at in range(1, name.count(".") + 1)} | {""}
    before = tuple(name for name, when in order.items() if when < first and name not in ancestors)
    return Ladder(tuple(rungs), before, tuple(left_over), note_on(towers, seen))


def tower_name(tower: list[str], towers: list[list[str]]) -> str:
    """What tells a tower from the others, such as `encoder `; nothing where there is only one."""
    if len(towers) == 1:
        return ""
    levels = zip(*(other[0].split(".") for other in towers), strict=False)
    shared = sum(1 for _ in takewhile(lambda parts: len(set(parts)) == 1, levels))
    return tower[0].split(".")[shared] + " "


def note_on(towers: list[list[str]], seen: dict[str, Seen]) -> str | None:
    if not towers:
        return "no repeated blocks were found: the model trains as a whole, or its head alone."
    calls = seen[towers[0][0]].calls
    if calls > 1 and sum(map(len, towers)) == 1:
        return f"its {calls} blocks share one set of weights: they train all together or not at all."
    if len(towers) > 1:
        return f"{len(towers)} towers, one after the other: {', '.join(tower_name(tower, towers).strip() for tower in towers)}."
    return None
