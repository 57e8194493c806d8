"""The optimizer step as operators that move bytes: it follows from parameter counts alone.

Passes are those of ``torch.optim`` 2.x: ``_multi_tensor_adam`` and ``_multi_tensor_sgd`` (the default, "foreach")
walk the parameters several times; the fused kernels once; the loops of old versions as often as foreach, but with one
launch for every parameter tensor.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from perfmodel.graph.operators import Array, Operators, byte_operators

# optimizer -> (float32 states kept, fused reads, fused writes, foreach passes as (name, tensors read, tensors written))
_ADAM_PASSES = (
    ("_foreach_lerp_", 2, 1),
    ("_foreach_mul_", 1, 1),
    ("_foreach_addcmul_", 2, 1),
    ("_foreach_sqrt", 1, 1),
    ("_foreach_div_", 1, 1),
    ("_foreach_add_", 1, 1),
    ("_foreach_addcdiv_", 3, 1),
)
_DECAY = ("_foreach_mul_", 1, 1)
_SGD_PASSES = (("_foreach_mul_", 1, 1), ("_foreach_add_", 2, 1), ("_foreach_add_", 2, 1))
_LAMB_PASSES = (*_ADAM_PASSES[:6], ("_foreach_div", 2, 1), ("_foreach_norm", 2, 0), ("_foreach_add_", 2, 1))
_RULES: dict[str, tuple[int, int, int, tuple[tuple[str, int, int], ...]]] = {
    "adam": (2, 4, 3, _ADAM_PASSES),
    "adamw": (2, 4, 3, (_DECAY, *_ADAM_PASSES)),
    "lamb": (2, 4, 3, _LAMB_PASSES),
    "sgd": (1, 3, 2, _SGD_PASSES),
    "sgd_plain": (0, 2, 1, (("_foreach_add_", 2, 1),)),
    "rmsprop": (1, 3, 2, (("_foreach_mul_", 1, 1), ("_foreach_addcmul_", 2, 1), *_ADAM_PASSES[3:])),
    "adagrad": (1, 3, 2, (("_foreach_addcmul_", 2, 1), *_ADAM_PASSES[3:])),
}
STYLES = ("foreach", "fused", "loop")
OPTIMIZERS = tuple(_RULES)


def parse(optimizer: str) -> tuple[str, str]:
    """Split ``adam``, ``adam_fused``, ``sgd_loop`` into name and style (foreach by default).

    Raises
    ------
    ValueError
        For an optimizer that is not in `OPTIMIZERS`.
    """
    text = optimizer.lower()
    for style in STYLES:
        if text.endswith(f"_{style}"):
            text = text.removesuffix(f"_{style}")
            break
    else:
        style = "foreach"
    if text not in _RULES:
        raise ValueError(f"unknown optimizer {optimizer!r}; known: {', '.join(OPTIMIZERS)}, each with _fused or _loop")
    return text, style


def state_tensors(optimizer: str | None) -> int:
    """Float32 values kept for each parameter."""
    return 0 if optimizer is None else _RULES[parse(optimizer)[0]][0]


@lru_cache(maxsize=256)
def optimizer_operators(optimizer: str, *, parameters: float, tensors: float, scaler: bool) -> Operators:
    """Operators of one optimizer step, all in float32.

    Parameters
    ----------
    optimizer : str
        See `parse`.
    parameters, tensors : float
        Trainable parameters and how many tensors hold them.
    scaler : bool
        Add the pass that unscales and checks gradients of 16-bit training.
    """
    name, style = parse(optimizer)
    _, reads, writes, passes = _RULES[name]
    if style == "fused":
        passes = ((f"_fused_{name}_", reads, writes),)
    if scaler:
        passes = (("_amp_foreach_non_finite_check_and_unscale_", 1, 1), *passes)
    launches = np.array([tensors if style == "loop" else 1.0])
    each = parameters / launches
    return byte_operators(
        tuple(entry[0] for entry in passes),
        "optimizer",
        "optimizer",
        count=launches,
        elements=each + np.zeros(len(passes)),
        read=4 * each * np.array([entry[1] for entry in passes], float),
        write=4 * each * np.array([entry[2] for entry in passes], float),
    )


def accumulation_operators(*, parameters: Array, tensors: Array, times: int) -> Operators:
    """Adding the gradients of ``times`` - 1 further micro-batches, one launch a tensor."""
    tensors = np.asarray(tensors, float)[..., None]
    each = np.asarray(parameters, float)[..., None] / tensors
    return byte_operators(
        ("add_",), "elementwise", "backward", count=tensors * (times - 1), elements=each, read=8 * each, write=4 * each
    )
