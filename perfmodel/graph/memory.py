"""Memory of a step by part, from the lifetimes that the capture followed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perfmodel.graph.operators import KIND_CODE, Array, Operators

CUBLAS_WORKSPACE = 8_519_680.0
"""Bytes: PyTorch's default CUBLAS_WORKSPACE_CONFIG ``:4096:2:16:8`` (aten/src/ATen/cuda/CublasHandlePool.cpp)."""
CONVOLUTION_WORKSPACE = 0.5
"""Share of the largest convolution's traffic that cuDNN takes beside it; an estimate, it depends on the algorithm."""


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Bytes of one step on one device; arrays when the batch or size is one.

    Attributes
    ----------
    parameters, buffers : float64
        Weights, and buffers such as running statistics.
    gradients, optimizer : float64
        One gradient a parameter, and the optimizer's state.
    inputs : float64
        The batch itself.
    activations : float64
        What lives at the peak beside all of these: tensors saved for the backward pass and transient results.
    workspace : float64
        Estimate of what cuBLAS and cuDNN take.
    saved : float64
        Tensors saved for the backward pass (part of `activations`).
    """

    parameters: Array
    buffers: Array
    gradients: Array
    optimizer: Array
    inputs: Array
    activations: Array
    workspace: Array
    saved: Array

    @property
    def peak(self) -> Array:
        """Bytes at the peak of the step."""
        return np.asarray(
            self.parameters
            + self.buffers
            + self.gradients
            + self.optimizer
            + self.inputs
            + self.activations
            + self.workspace
        )

    def to_dict(self) -> dict[str, float]:
        """Bytes by part, for one point."""
        names = ("parameters", "buffers", "gradients", "optimizer", "inputs", "activations", "workspace", "peak")
        return {name: float(getattr(self, name)) for name in names}


def workspace_bytes(operators: Operators) -> Array:
    """Estimate of library workspace, bytes [...]."""
    if not len(operators):
        return np.zeros(operators.count.shape[:-1])
    traffic = np.where(operators.kind == KIND_CODE["conv"], operators.read + operators.write, 0.0)
    return np.asarray(CUBLAS_WORKSPACE + CONVOLUTION_WORKSPACE * traffic.max(axis=-1))


def checkpointed(activations: Array, saved: Array, tensors: Array) -> Array:
    """Activations when the network is recomputed segment by segment in the backward pass.

    With ``s`` segments one boundary tensor each stays and one segment's tensors come back; ``s`` is the square root of
    the number of saved tensors, which is best when they are alike (Chen et al. 2016, arXiv:1604.06174).
    """
    segments = np.sqrt(np.maximum(tensors, 1.0))
    return np.asarray(activations - saved * np.maximum(1.0 - 2.0 / segments, 0.0))
