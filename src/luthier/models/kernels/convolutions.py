"""Convolutional networks on a CPU: frozen batch norms folded into the convolutions before them, and a gradient that oneDNN
has no kernel for.

A batch norm with frozen statistics is a multiplication and an addition for each channel. Folded into the weights of the
convolution before it, where they are as learnable as before, it costs no pass over the image. docs/engine.md has the times.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

Two = tuple[int, int]


class Folded(nn.Conv2d):
    """A convolution that also does what the batch norm after it would do, as long as that keeps its statistics."""

    def __init__(self, conv: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
        with torch.device("meta"):
            settings: Any = {
                "kernel_size": conv.kernel_size, "stride": conv.stride, "padding": conv.padding,
                "dilation": conv.dilation, "groups": conv.groups, "bias": conv.bias is not None,
            }  # fmt: skip
            super().__init__(conv.in_channels, conv.out_channels, **settings)
        self.weight, self.bias = conv.weight, conv.bias
        self.norm = (norm,)  # in a tuple, so that its weights stay at their own place in the module tree
        self.training = conv.training

    def forward(self, images: Tensor) -> Tensor:
        norm = self.norm[0]
        if norm.training or norm.running_var is None or norm.running_mean is None:
            return convolved(self, images, self.weight, self.bias)
        scale = torch.rsqrt(norm.running_var + norm.eps)
        if norm.affine:
            scale = scale * norm.weight
        shift = -norm.running_mean * scale
        if norm.affine:
            shift = shift + norm.bias
        if self.bias is not None:
            shift = shift + self.bias * scale
        weight = self.weight * scale.to(self.weight.dtype).view(-1, 1, 1, 1)
        return convolved(self, images, weight, shift.to(images.dtype))


class Passed(nn.BatchNorm2d):
    """A batch norm whose work a `Folded` convolution has done, while its statistics are kept."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images) if self.training else images


def convolved(conv: nn.Conv2d, images: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """A convolution with other weights than its own."""
    if isinstance(conv.padding, str) or conv.padding_mode != "zeros":
        plain: Tensor = conv._conv_forward(images, weight, bias)
        return plain
    strided = conv.stride == (2, 2) and conv.groups == conv.in_channels == conv.out_channels > 1
    if strided and images.device.type == "cpu" and images.requires_grad and conv.dilation == (1, 1):
        made: Tensor = StridedDepthwise.apply(images, weight, bias, conv.padding)  # type: ignore[no-untyped-call]
        return made
    return functional.conv2d(images, weight, bias, conv.stride, conv.padding, conv.dilation, conv.groups)


class StridedDepthwise(torch.autograd.Function):
    """Depthwise convolution of stride 2. Its gradient by the images, for which oneDNN has no fast kernel on a CPU (twenty
    times the forward pass in bf16), is that of stride 1 with zeros between the gradient's pixels."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor, bias: Tensor | None, padding: Two) -> Tensor:
        ctx.save_for_backward(images, weight)
        ctx.padding, ctx.biased = padding, bias is not None
        return functional.conv2d(images, weight, bias, 2, padding, 1, images.shape[1])

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        images, weight = ctx.saved_tensors
        gradient = gradients[0]
        channels, (high, wide) = images.shape[1], weight.shape[2:]
        sizes = [
            side + 2 * pad - kernel + 1
            for side, pad, kernel in zip(images.shape[2:], ctx.padding, (high, wide), strict=True)
        ]
        shape = (len(images), channels, *sizes)
        spread = torch.empty(shape, dtype=gradient.dtype, memory_format=torch.channels_last).zero_()
        spread[:, :, ::2, ::2] = gradient
        backward = torch.ops.aten.convolution_backward
        padding = list(ctx.padding)
        by_images = None
        if ctx.needs_input_grad[0]:
            by_images = backward(
                spread, images, weight, None, [1, 1], padding, [1, 1], False, [0, 0], channels, [True, False, False]
            )[0]  # fmt: skip
        by_weight = by_bias = None
        if ctx.needs_input_grad[1]:
            by_weight = backward(
                gradient, images, weight, None, [2, 2], padding, [1, 1], False, [0, 0], channels, [False, True, False]
            )[1]  # fmt: skip
        if ctx.biased and ctx.needs_input_grad[2]:
            by_bias = gradient.sum((0, 2, 3))
        return by_images, by_weight, by_bias, None


def fold_norms(model: nn.Module, run: Callable[[], Any]) -> int:
    """Fold every batch norm into the convolution whose output it reads, and nothing else reads; how many there were.

    run() gives the model's output on a small input. The model computes as before, and its weights stay where they are.
    """
    pairs, rectified = pairs_of(model, run)
    with torch.no_grad():
        expected = first(run())
        before = {name: model.get_submodule(name) for pair in pairs for name in pair}
        for conv_name, norm_name in pairs:
            conv, norm = model.get_submodule(conv_name), model.get_submodule(norm_name)
            assert isinstance(conv, nn.Conv2d), "pairs are of a convolution"
            assert isinstance(norm, nn.BatchNorm2d), "and a batch norm"
            passed = passed_norm(norm)
            model.set_submodule(norm_name, passed)
            model.set_submodule(conv_name, Folded(conv, passed))
        # What such a norm gives is new, and of no use to anyone but the activation: it may be written over.
        activations: list[Any] = [model.get_submodule(name) for name in rectified]
        for activation in activations:
            activation.inplace = True
        if not torch.allclose(expected, first(run()), rtol=1e-3, atol=1e-3):
            for activation in activations:
                activation.inplace = False
        if torch.allclose(expected, first(run()), rtol=1e-3, atol=1e-3):
            return len(pairs)
        for name, module in before.items():  # something else reads what a convolution gives
            model.set_submodule(name, module)
    return 0


def passed_norm(norm: nn.BatchNorm2d) -> Passed:
    """The same norm, its weights and statistics shared."""
    made = Passed(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
    made.weight, made.bias = norm.weight, norm.bias
    made.running_mean, made.running_var = norm.running_mean, norm.running_var
    made.num_batches_tracked = norm.num_batches_tracked
    return made.train(norm.training)


def pairs_of(model: nn.Module, run: Callable[[], Any]) -> tuple[list[tuple[str, str]], list[str]]:
    """Names of convolutions and of the batch norms that read what they give; and of the activations that read what these give."""
    given: dict[int, str] = {}
    normal: set[int] = set()
    kept: list[Tensor] = []  # an id is a tensor's own only while the tensor is held
    pairs: list[tuple[str, str]] = []
    rectified: list[str] = []

    def gave(name: str) -> Any:
        def hook(module: nn.Module, args: Any, output: Tensor) -> None:
            given[id(output)] = name
            kept.append(output)

        return hook

    def reads(name: str) -> Any:
        def hook(module: nn.Module, args: Any, output: Tensor) -> None:
            conv = given.pop(id(args[0]), None)
            if conv is not None and module.running_var is not None:
                pairs.append((conv, name))
                normal.add(id(output))
                kept.append(output)

        return hook

    def rectifies(name: str) -> Any:
        def hook(module: nn.Module, args: Any) -> None:
            if id(args[0]) in normal:
                rectified.append(name)

        return hook

    hooks = []
    for name, module in model.named_modules():
        if type(module) is nn.Conv2d:
            hooks.append(module.register_forward_hook(gave(name)))
        elif type(module) is nn.BatchNorm2d:
            hooks.append(module.register_forward_hook(reads(name)))
        elif isinstance(module, nn.ReLU | nn.Hardtanh):
            hooks.append(module.register_forward_pre_hook(rectifies(name)))
    try:
        with torch.no_grad():
            run()
    finally:
        for handle in hooks:
            handle.remove()
    return pairs, rectified


def first(output: Any) -> Tensor:
    """The tensor that an output is, or begins with."""
    found: Tensor = output if isinstance(output, Tensor) else output[0]
    return found
