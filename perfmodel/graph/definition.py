"""Networks given by a factory: captured at several sizes and block counts, they become fully symbolic graphs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from perfmodel.graph.assemble import assemble
from perfmodel.graph.capturing import Session, module_step, symbolic_prime, trace
from perfmodel.graph.graph import Graph
from perfmodel.graph.symbolic import Blocks, Captured, fit_blocks, fit_sizes, without_blocks

StepFactory = Callable[[Sequence[Any], Sequence[Any], str], Callable[[Session], None]]


@dataclass(frozen=True, kw_only=True)
class Definition:
    """How to build a network and what its graph is symbolic in.

    Attributes
    ----------
    name, family : str
    build : callable
        ``build(size, blocks)`` returns a module, or a tuple of modules when ``step`` is given.
    inputs : callable
        ``inputs(batch, size)`` returns the example inputs on the current default device.
    unit : str
        "image", "sequence" or "sample".
    size_name : str or None
        "image_size" or "seq_len"; None for a fixed size.
    default_size, size_step : int
        Sizes ``default + k * step`` are exact.
    degree : int
        Of the polynomials in the size: 2 for convolutions and sequences, 4 for attention over image patches.
    points : tuple of int
        Values of k captured; more than ``degree + 1`` of them, so that one is a check.
    blocks : tuple of int
        Block counts captured (three or more); empty when there are none.
    default_blocks : int or None
    loss : callable, optional
        From output to scalar.
    step : callable, optional
        ``step(modules, inputs, mode)`` returns the whole step; a plain module step by default.
    attentions : tuple of str
        Which of "fused", "unfused" to capture; the first is the default.
    modes : tuple of str
    optimizer : str
    """

    name: str
    family: str
    build: Callable[[int, int], Any]
    inputs: Callable[[int, int], Sequence[Any]]
    unit: str = "image"
    size_name: str | None = "image_size"
    default_size: int = 224
    size_step: int = 32
    degree: int = 2
    points: tuple[int, ...] = (0, 1, 2, 3)
    blocks: tuple[int, ...] = ()
    default_blocks: int | None = None
    loss: Callable[[Any], Any] | None = None
    step: StepFactory | None = None
    attentions: tuple[str, ...] = ("fused",)
    modes: tuple[str, ...] = ("train", "infer")
    optimizer: str = "sgd"


def run_definition(
    definition: Definition,
    *,
    mode: str,
    size: int | None = None,
    blocks: int | None = None,
    batch: int | None = None,
    amp: bool = True,
    attention: str | None = None,
    trace_peak: bool = True,
) -> Captured:
    """Capture a definition at one point.

    Parameters
    ----------
    definition : Definition
    mode : {"train", "infer"}
    size, blocks : int, optional
        The defaults when not given.
    batch : int, optional
        A plain batch for a numeric capture; a prime for a symbolic one by default.
    amp, attention, trace_peak
        As in `capturing.trace`.
    """
    import torch

    size = definition.default_size if size is None else size
    with torch.device("meta"):
        built = definition.build(size, blocks or definition.default_blocks or 0)
        modules = list(built) if isinstance(built, (tuple, list)) else [built]
        for module in modules:
            module.train(mode == "train")
        samples = symbolic_prime(*modules) if batch is None else batch
        inputs = list(definition.inputs(samples, size))
        if definition.step is None:
            step = module_step(modules[0], inputs, mode=mode, loss=definition.loss)
        else:
            step = definition.step(modules, inputs, mode)
        return trace(
            step,
            modules=modules,
            inputs=inputs,
            batch=samples if batch is None else 0,
            amp=amp,
            attention=attention or definition.attentions[0],
            trace_peak=trace_peak,
        )


def capture_definition(definition: Definition, *, trace_peak: bool = True) -> Graph:
    """Capture a definition at all its points and fit the symbolic graph.

    Raises
    ------
    FailureError
        When the operators are not polynomials in size, or not linear in blocks.
    """
    fitted: dict[tuple[str, str], Blocks] = {}
    points = definition.points if definition.size_name else (0,)
    degree = definition.degree if definition.size_name else 0
    for mode in definition.modes:
        for attention in definition.attentions:
            merged = {}
            for blocks in definition.blocks or (0,):
                found = [
                    run_definition(
                        definition,
                        mode=mode,
                        size=definition.default_size + point * definition.size_step,
                        blocks=blocks,
                        attention=attention,
                        trace_peak=trace_peak,
                    )
                    for point in points
                ]
                merged[blocks] = fit_sizes(found, points, degree)
            whole = fit_blocks(merged) if definition.blocks else without_blocks(merged[0])
            fitted[mode, attention] = whole
    return assemble(
        fitted,
        name=definition.name,
        family=definition.family,
        unit=definition.unit,
        size_name=definition.size_name,
        default_size=definition.default_size,
        size_step=definition.size_step if definition.size_name else 0,
        default_blocks=definition.default_blocks,
        default_optimizer=definition.optimizer,
        default_attention=definition.attentions[0],
    )
