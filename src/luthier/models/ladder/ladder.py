"""The ladder: a model as its ordered rungs, embeddings, block 0..n-1, head, found in the model itself.

No architecture needs a table row. Candidates for blocks are the lists of equal modules in the module tree; the autograd
graph of one small forward pass tells which of them is a chain, where everything from below comes through the block
before, and from which block's output on a parameter has a say. No backward pass is run: that costs no more for a large
model than for a small one.
"""

from bisect import bisect
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from luthier.errors import ModelError

Node = torch.autograd.graph.Node
Towers = list[list[str]]
"""Paths of blocks, in the order in which they run; one chain, or one for each tower of an encoder and a decoder."""


@dataclass(frozen=True)
class Rung:
    """One step of the ladder."""

    name: str
    """`embeddings`, `block 0`, ..., `head`; with two towers `encoder block 0`, `decoder block 0`, ..."""
    module: str | None
    """Path of the block in the model; None for embeddings and head, which may be spread over several modules."""
    parameters: tuple[str, ...]
    """Names of the rung's parameters, as `model.named_parameters()` spells them."""
    modules: tuple[str, ...] = ()
    """Paths of the modules that begin to run between the end of the rung below and the end of this one.

    A module around several rungs, such as an encoder, is on the lowest of them; so is one that runs again further up.
    """


@dataclass(frozen=True)
class Ladder:
    """The rungs of a model, the lowest first and the head last. Every parameter is on one rung, or idle."""

    rungs: tuple[Rung, ...]
    idle: tuple[str, ...] = ()
    """Parameters that had no say in the output, such as an unused pooler's."""
    note: str | None = None
    """A sentence for the user on what is unusual about this model's rungs; empty where nothing is."""

    @property
    def blocks(self) -> tuple[str, ...]:
        """Paths of the blocks, in the order in which they run."""
        return tuple(rung.module for rung in self.rungs if rung.module is not None)

    def below_head(self, rung_index: int) -> int:
        """How many rungs lie from a rung up to the head: 0 is the head itself.

        >>> Ladder(tuple(Rung(name, None, ()) for name in ("embeddings", "block 0", "head"))).below_head(0)
        2
        """
        return len(self.rungs) - 1 - rung_index


@dataclass
class Seen:
    """What one forward pass showed of a module."""

    began: int
    """When the module first ran; time is counted in beginnings and ends of modules."""
    entered: Node | None
    """What went into its first call, as a node of the autograd graph; None where no weight has a say in it."""
    ended: int = -1
    left: Node | None = None
    """What came out of its last call."""
    calls: int = 0


def find_ladder(model: nn.Module, run: Callable[[], Any]) -> Ladder:
    """The rungs of a model. run() gives its output on some small input; the model is left as it was.

    A parameter belongs to the lowest rung whose output it reaches, wherever in the module tree it lives. Of an output of
    several tensors the first one counts. Raises ModelError when it depends on no parameter.
    """
    seen, output = watch(model, run)
    if output is None:
        raise ModelError("The model's output depends on none of its weights, so there is nothing to train.")
    lists = block_lists(model, seen)
    found = sorted(candidates(model, lists), key=lambda towers: rank(towers, seen))
    return build(model, next((towers for towers in found if are_chains(towers, seen)), []), seen, output)


def watch(model: nn.Module, run: Callable[[], Any]) -> tuple[dict[str, Seen], Node | None]:
    """One forward pass in evaluation mode with all gradients on: each module that ran, and the output's node."""
    seen: dict[str, Seen] = {}
    time = 0

    def before(name: str, args: Any, kwargs: Any) -> None:
        nonlocal time
        time += 1
        if name not in seen:
            seen[name] = Seen(time, node_of([args, kwargs]))

    def after(name: str, output: Any) -> None:
        nonlocal time
        time += 1
        found = seen[name]
        found.ended, found.left, found.calls = time, node_of(output), found.calls + 1

    def hook(name: str, module: nn.Module) -> list[Any]:
        return [
            module.register_forward_pre_hook(
                lambda _, args, kwargs: before(name, args, kwargs), with_kwargs=True
            ),
            module.register_forward_hook(lambda _, args, output: after(name, output)),
        ]

    modes = [(module, module.training) for module in model.modules()]
    asked = [(weight, weight.requires_grad) for weight in model.parameters()]
    hooks = [handle for name, module in model.named_modules() for handle in hook(name, module)]
    try:
        model.eval()
        for weight, _ in asked:
            weight.requires_grad_(weight.is_floating_point())
        with torch.enable_grad():
            output = node_of(run())
    finally:
        for handle in hooks:
            handle.remove()
        for module, training in modes:
            module.training = training
        for weight, wanted in asked:
            weight.requires_grad_(wanted)
    return seen, output


def node_of(value: Any) -> Node | None:
    """The graph node of the first tensor with a gradient in what a module takes or gives."""
    found = next((tensor for tensor in tensors_in(value) if tensor.requires_grad), None)
    return None if found is None else torch.autograd.graph.get_gradient_edge(found).node


def first_tensor(value: Any) -> Tensor | None:
    """The first floating-point tensor in what a module takes or gives."""
    return next(tensors_in(value), None)


def tensors_in(value: Any) -> Iterator[Tensor]:
    """All floating-point tensors in it; an output of transformers is a dictionary."""
    if isinstance(value, Tensor) and value.is_floating_point():
        yield value
    elif isinstance(value, tuple | list | dict):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from tensors_in(inner)


def block_lists(model: nn.Module, seen: dict[str, Seen]) -> dict[str, list[str]]:
    """The lists of modules of one class by their paths: those of their children that ran. All in the order of running."""
    lists = []
    for path, module in model.named_modules():
        one_class = len({type(child) for child in module.children()}) == 1
        if not isinstance(module, nn.ModuleList | nn.Sequential) or not one_class:
            continue
        names = [f"{path}.{name}".removeprefix(".") for name, _ in module.named_children()]
        ran = [name for name in names if name in seen and seen[name].left is not None]
        if ran and next(module.parameters(), None) is not None:
            lists.append((path, sorted(ran, key=lambda name: seen[name].began)))
    return dict(sorted(lists, key=lambda found: seen[found[1][0]].began))


def candidates(model: nn.Module, lists: dict[str, list[str]]) -> Iterator[Towers]:
    """What may be the model's blocks: a class wherever it is listed, one list, or lists in the same place of two towers.

    A list within a block is a part of the block, and only taken together with its like in all other blocks. Where what
    goes into the first block has a second way into the next (DeBERTa-v2-xlarge's convolution), the chain may begin there.
    """
    of_class: dict[type, list[str]] = {}
    for names in lists.values():
        of_class.setdefault(type(model.get_submodule(names[0])), []).extend(names)
    yield from ([names] for names in of_class.values())

    blocks = {name for names in lists.values() for name in names}
    outer = [path for path in lists if blocks.isdisjoint(ancestors(path))]
    for path in outer:
        yield [lists[path]]
        if len(lists[path]) > 2:
            yield [lists[path][1:]]

    alike: dict[tuple[str, ...], Towers] = {}
    for path in outer:
        parts = path.split(".")
        for at in range(len(parts) - 1):
            alike.setdefault((*parts[:at], "*", *parts[at + 1 :]), []).append(lists[path])
    yield from (towers for towers in alike.values() if len(towers) > 1)


def rank(towers: Towers, seen: dict[str, Seen]) -> tuple[int, int, int]:
    """The most blocks come first; of as many, the outermost, then those that end last: they leave the least to the head."""
    names = [name for tower in towers for name in tower]
    return -len(names), names[0].count("."), -seen[names[-1]].ended


def ancestors(path: str) -> list[str]:
    """Paths of the modules that contain a module, itself included.

    >>> ancestors("encoder.layer.0")
    ['encoder', 'encoder.layer', 'encoder.layer.0']
    """
    parts = path.split(".")
    return [".".join(parts[: at + 1]) for at in range(len(parts))]


def are_chains(towers: Towers, seen: dict[str, Seen]) -> bool:
    """Whether the blocks of each tower are a chain, and all run one after the other."""
    blocks = [seen[name] for tower in towers for name in tower]
    in_turn = all(one.ended < other.began for one, other in pairwise(blocks))
    return in_turn and all(is_chain([seen[name] for name in tower]) for tower in towers)


def is_chain(blocks: Sequence[Seen]) -> bool:
    """Walk down from each block's output, but not past the output before it: no earlier one may be met.

    What depends on no block (relative positions, a mask) may be shared. A convolution inside a residual block fails
    this, as what it is added to went around it.
    """
    barrier = blocks[0].entered
    earlier = {barrier} - {None}
    for block in blocks:
        met = set(walk(block.left, {barrier}))
        if (barrier is not None and barrier not in met) or met & earlier - {barrier}:
            return False
        barrier = block.left
        earlier.add(barrier)
    return True


def walk(start: Node | None, barriers: Collection[Node | None] = ()) -> Iterator[Node]:
    """All graph nodes under one, but for what lies behind a barrier.

    torch makes a new Python object for a node that no one holds: the set keeps those alive that were met.
    """
    waiting, met = [start] if start is not None else [], set()
    while waiting:
        node = waiting.pop()
        if node in met:
            continue
        met.add(node)
        yield node
        if node not in barriers:
            waiting += [below for below, _ in node.next_functions if below is not None]


def build(model: nn.Module, towers: Towers, seen: dict[str, Seen], output: Node) -> Ladder:
    """Deal parameters and modules out to the rungs, from below."""
    names = [f"{tower_name(tower, towers)}block {at}" for tower in towers for at in range(len(tower))]
    paths = [name for tower in towers for name in tower]
    blocks = [seen[path] for path in paths]
    above = blocks[0] if blocks else head_of_a_table(model, seen)
    tops = [None if above is None else above.entered, *(block.left for block in blocks), output]
    parameters, idle = deal_parameters(model, tops)
    ends = [0 if above is None else above.began, *(block.ended for block in blocks)]
    modules = deal_modules(model, ends, seen)
    rungs = zip(["embeddings", *names, "head"], [None, *paths, None], parameters, modules, strict=True)
    note = None if above is not None and not blocks else note_on(towers, seen)
    return Ladder(tuple(Rung(*rung) for rung in rungs), idle, note)


def head_of_a_table(model: nn.Module, seen: dict[str, Seen]) -> Seen | None:
    """What stands right above the embeddings of a model that has nothing else below its head; None where it has more."""
    body = [child for name, child in model.named_children() if name != "head"]
    holders = [
        module
        for child in body
        for module in child.modules()
        if any(True for _ in module.parameters(recurse=False))
    ]
    bare = bool(holders) and all(isinstance(module, nn.Embedding) for module in holders)
    return seen.get("head") if bare else None


def deal_parameters(
    model: nn.Module, tops: Sequence[Node | None]
) -> tuple[list[tuple[str, ...]], tuple[str, ...]]:
    """Names of the parameters by the lowest of some nodes that they reach; then those that reach none."""
    left_over = {id(weight): name for name, weight in model.named_parameters()}
    met: set[Node | None] = set()
    dealt = []
    for top in tops:
        new = list(walk(top, met)) if top not in met else []
        met.update(new)
        reached = {id(getattr(node, "variable", None)) for node in new}  # only leaves have one
        dealt.append(tuple(name for key, name in left_over.items() if key in reached))
        left_over = {key: name for key, name in left_over.items() if key not in reached}
    return dealt, tuple(left_over.values())


def deal_modules(model: nn.Module, ends: Sequence[int], seen: dict[str, Seen]) -> list[tuple[str, ...]]:
    """Paths of the modules by the first of some times before which they began; then those that began later or never.

    A module that only others reach into (a list, the output layer of torch's own attention) goes with the one around it.
    """
    rung_of: dict[str, int] = {}
    for path, _ in model.named_modules():
        around = rung_of.get(path.rpartition(".")[0], len(ends))
        rung_of[path] = bisect(ends, seen[path].began) if path in seen else around
    return [tuple(path for path, rung in rung_of.items() if rung == at) for at in range(len(ends) + 1)]


def tower_name(tower: list[str], towers: Towers) -> str:
    """What tells a tower from the others, such as `encoder `; nothing where there is only one."""
    if len(towers) == 1:
        return ""
    levels = zip(*(other[0].split(".") for other in towers), strict=False)
    return tower[0].split(".")[next(at for at, parts in enumerate(levels) if len(set(parts)) > 1)] + " "


def note_on(towers: Towers, seen: dict[str, Seen]) -> str | None:
    """What the user should know of these rungs."""
    blocks = [seen[name] for tower in towers for name in tower]
    if not blocks:
        return "no repeated blocks were found: it trains as a whole."
    if len(towers) > 1:
        return f"its towers are stacked: {', '.join(tower_name(tower, towers).strip() for tower in towers)}."
    calls = sum(block.calls for block in blocks)
    if len(blocks) == 1 and calls > 1:
        return f"its {calls} blocks share one set of weights: they train all together or not at all."
    if calls > len(blocks):
        return f"its {calls} blocks share {len(blocks)} sets of weights: each set trains as one block."
    return None
