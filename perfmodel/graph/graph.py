"""A network's operators for any batch, size and block count; needs numpy alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from perfmodel.graph.memory import Memory, checkpointed, workspace_bytes
from perfmodel.graph.operators import PHASE_CODE, Array, Operators, concatenate
from perfmodel.graph.optimizers import accumulation_operators, optimizer_operators, state_tensors
from perfmodel.graph.table import VARIANTS, OperatorTable


@dataclass(frozen=True, kw_only=True)
class Totals:
    """Totals of a network at one point.

    Attributes
    ----------
    parameters : float
        Trainable parameters.
    gmacs : float64
        10^9 multiply-adds of one forward pass for one sample.
    gflops_step : float64
        10^9 FLOPs of all matrix products of a whole training step, for one sample; 0 without a train mode.
    activations : float64
        10^6 output elements of the forward pass's convolutions and products, for one sample.
    """

    parameters: float
    gmacs: Array
    gflops_step: Array
    activations: Array


@dataclass(frozen=True, kw_only=True)
class Graph:
    """The operators of a network, symbolic in batch, size and blocks. Immutable.

    Attributes
    ----------
    name, family : str
    unit : str
        What a batch counts: "image", "sequence" or "sample".
    size_name : str or None
        "image_size" or "seq_len"; None when the size is fixed.
    default_size, size_step : int
        Sizes ``default + k * step`` are exact; between them the polynomials interpolate. With step 0 only the default
        is exact; another image size scales what a sample costs by its pixels. A graph without `size_name` ignores it.
    default_blocks : int or None
        None when the network has no block count.
    polynomials : float64 [u, 2 * (degree + 1)]
    tables : dict
        By (mode, attention).
    parameter_line, tensor_line, buffer_line : tuple of float
        (constant, per block).
    input_column : int
        Index of the polynomial of input bytes.
    default_optimizer, default_variant, default_attention : str
    fixed_batch : int or None
        The only batch of a capture that could not be made symbolic.
    exact : bool
        All numbers are whole; False for graphs stretched to given totals.
    """

    name: str
    family: str
    unit: str
    size_name: str | None
    default_size: int
    size_step: int
    degree: int
    default_blocks: int | None
    polynomials: Array
    tables: Mapping[tuple[str, str], OperatorTable]
    parameter_line: tuple[float, float]
    tensor_line: tuple[float, float]
    buffer_line: tuple[float, float]
    input_column: int
    default_optimizer: str = "adam"
    default_variant: str = "fp32"
    default_attention: str = "fused"
    fixed_batch: int | None = None
    exact: bool = True

    @property
    def modes(self) -> tuple[str, ...]:
        """Modes the graph has: "train", "infer" or both."""
        return tuple(dict.fromkeys(mode for mode, _ in self.tables))

    @property
    def attentions(self) -> tuple[str, ...]:
        """Kinds of attention the graph has: "fused", "unfused" or both."""
        return tuple(dict.fromkeys(attention for _, attention in self.tables))

    @property
    def unmodelled(self) -> dict[str, int]:
        """Operators without a cost rule, by name, with their calls in the first mode; their bytes are counted."""
        return dict(next(iter(self.tables.values())).unmodelled)

    def parameters(self, blocks: int | None = None) -> float:
        """Trainable parameters."""
        return self._line(self.parameter_line, blocks)

    def _line(self, line: tuple[float, float], blocks: int | None) -> float:
        return line[0] + line[1] * self._blocks(blocks)

    def _blocks(self, blocks: int | None) -> int:
        if blocks is None:
            return self.default_blocks or 0
        if self.default_blocks is None:
            raise ValueError(f"{self.name} has no block count")
        if blocks < 1:
            raise ValueError(f"blocks must be at least 1, not {blocks}")
        return blocks

    def table(self, mode: str = "train", attention: str | None = None) -> OperatorTable:
        """Operators of one mode; without an ``attention`` of that kind the one there is.

        Raises
        ------
        ValueError
            When the graph lacks the mode.
        """
        for wanted in (attention or self.default_attention, *self.attentions):
            if (mode, wanted) in self.tables:
                return self.tables[mode, wanted]
        raise ValueError(f"{self.name} has no mode {mode!r}; it has {', '.join(self.modes)}")

    def _values(self, batch: ArrayLike, size: ArrayLike | None) -> Array:
        """All polynomials at the points, [..., u]."""
        samples = np.asarray(batch, float)
        if self.fixed_batch is not None and np.any(samples != self.fixed_batch):
            raise ValueError(f"{self.name} was captured at batch {self.fixed_batch} only")
        if np.any(samples < 1) or (size is not None and np.any(np.asarray(size) < 1)):
            raise ValueError("batch and size must be at least 1")
        x = np.zeros(())
        if size is not None and self.size_step:
            x = (np.asarray(size, float) - self.default_size) / self.size_step
        elif size is not None and self.size_name == "image_size":  # what a sample costs grows with its pixels
            samples = samples * (np.asarray(size, float) / self.default_size) ** 2
        samples, x = np.broadcast_arrays(samples, x)
        powers = x[..., None] ** np.arange(self.degree + 1)
        basis = np.concatenate([powers, samples[..., None] * powers], axis=-1)
        values = basis @ self.polynomials.T
        return np.asarray(np.rint(values) if self.exact else values)

    def operators(
        self,
        *,
        batch: ArrayLike,
        size: ArrayLike | None = None,
        blocks: int | None = None,
        mode: str = "train",
        variant: str | None = None,
        optimizer: str | None = "default",
        attention: str | None = None,
        accumulate: int = 1,
        checkpoint: bool = False,
    ) -> Operators:
        """Evaluate the operators of one step.

        Parameters
        ----------
        batch, size : int or array
            Samples in a micro-batch, and image size or sequence length; arrays are broadcast together.
        blocks : int, optional
            The graph's default when not given.
        mode : {"train", "infer"}
        variant : {"fp32", "amp", "half"}, optional
            All float32; automatic mixed precision; everything in 16 bit.
        optimizer : str or None
            See `optimizers.parse`; None leaves the optimizer out; by default the network's own.
        attention : {"fused", "unfused"}, optional
        accumulate : int
            Micro-batches before one optimizer step; counts grow with it.
        checkpoint : bool
            Recompute the forward pass in the backward pass (activation checkpointing).

        Raises
        ------
        ValueError
            For an unknown mode, variant or optimizer, or a batch that was not captured.
        """
        variant = self._variant(variant)
        values = self._values(batch, size)
        found = self.table(mode, attention).evaluate(values, blocks=self._blocks(blocks), variant=variant)
        if mode != "train":
            return found
        parts = [found]
        if checkpoint:
            forward = found.select(found.phase == PHASE_CODE["forward"])
            again = np.full(len(forward), PHASE_CODE["backward"], np.int8)
            parts.append(replace(forward, phase=again, saved=np.zeros_like(forward.saved)))
        parameters, tensors = (float(self._line(x, blocks)) for x in (self.parameter_line, self.tensor_line))
        if accumulate > 1:
            parts = [part.scaled(accumulate) for part in parts]
            parts.append(
                accumulation_operators(parameters=np.array(parameters), tensors=np.array(tensors), times=accumulate)
            )
        chosen = self.default_optimizer if optimizer == "default" else optimizer
        if chosen is not None and parameters:
            scaler = variant == "amp"
            parts.append(optimizer_operators(chosen, parameters=parameters, tensors=tensors, scaler=scaler))
        return concatenate(parts) if len(parts) > 1 else found

    def _variant(self, variant: str | None) -> str:
        chosen = self.default_variant if variant is None else variant
        if chosen not in VARIANTS:
            raise ValueError(f"unknown variant {chosen!r}; known: {', '.join(VARIANTS)}")
        return chosen

    def memory(
        self,
        *,
        batch: ArrayLike,
        size: ArrayLike | None = None,
        blocks: ArrayLike | None = None,
        mode: str = "train",
        variant: str | None = None,
        optimizer: str | None = "default",
        attention: str | None = None,
        accumulate: int = 1,
        checkpoint: bool = False,
        workspace: bool = True,
    ) -> Memory:
        """Bytes of one step by part; arguments as in `operators`, but ``blocks`` may be an array, too.

        ``workspace`` adds the estimate of what GPU libraries take.
        """
        variant = self._variant(variant)
        count = np.asarray(self._blocks(None if blocks is None else int(np.min(blocks))), float)
        if blocks is not None:
            count = np.asarray(blocks, float)
        values = self._values(batch, size)
        table = self.table(mode, attention)
        operators = table.evaluate(values, blocks=count[..., None], variant=variant)
        parameters = self.parameter_line[0] + self.parameter_line[1] * count
        weight = 2.0 if variant == "half" else 4.0
        train = mode == "train"
        chosen = self.default_optimizer if optimizer == "default" else optimizer
        gradients = weight * parameters if train else 0.0
        live = table.peak(values, blocks=count, variant=variant)
        saved = operators.total("saved")
        activations = live if accumulate > 1 else np.maximum(live - gradients, 0.0)
        if checkpoint and train:
            tensors = np.where(operators.saved > 0, operators.count, 0.0).sum(axis=-1)
            activations = checkpointed(activations, np.minimum(saved, activations), tensors)
        zero = np.zeros_like(live)
        return Memory(
            parameters=zero + weight * parameters,
            buffers=zero + (self.buffer_line[0] + self.buffer_line[1] * count),
            gradients=zero + gradients,
            optimizer=zero + (4.0 * parameters * state_tensors(chosen) if train else 0.0),
            inputs=values[..., self.input_column] * (0.5 if variant == "half" else 1.0),
            activations=activations,
            workspace=workspace_bytes(operators) if workspace else zero,
            saved=saved,
        )

    def totals(self, *, size: ArrayLike | None = None, blocks: int | None = None) -> Totals:
        """Parameters, multiply-adds and activations for one sample."""
        mode = "infer" if "infer" in self.modes else self.modes[0]
        point: dict[str, Any] = {"batch": self.fixed_batch or 1, "size": size, "blocks": blocks, "optimizer": None}
        forward = self.operators(mode=mode, **point)
        forward = forward.select((forward.phase == PHASE_CODE["forward"]) & (forward.k > 0))
        step = self.operators(mode="train", **point) if "train" in self.modes else None
        products = step.select(step.k > 0).total("flops") if step is not None else np.zeros(())
        outputs = (forward.count * forward.b * forward.m * forward.n).sum(axis=-1)
        per = self.fixed_batch or 1
        return Totals(
            parameters=self.parameters(blocks),
            gmacs=forward.total("flops") / 2e9 / per,
            gflops_step=products / 1e9 / per,
            activations=np.asarray(outputs / 1e6 / per),
        )

    def input_bytes(self, *, batch: ArrayLike, size: ArrayLike | None = None) -> Array:
        """Bytes of the inputs of a batch, as the loader hands them over."""
        return np.asarray(self._values(batch, size)[..., self.input_column])
