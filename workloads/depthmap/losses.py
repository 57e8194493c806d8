"""Losses of mask and depth, and how they are combined."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from perfmodel.errors import InputError
from perfmodel.workloads.depthmap.similarity import ssim
from perfmodel.workloads.training.processes import Place, mean_over_processes

COMBINATIONS = ("weights", "roots")
_ON_LOGITS = ("bce", "bce_logits")
"""Losses that take the depth's output as a logit; the mask's always is one."""
_SMALLEST = 1e-12
"""Below this a loss has no root to speak of (its derivative would grow without bound)."""


def _bce(logit: Tensor, target: Tensor) -> Tensor:
    return F.binary_cross_entropy(torch.sigmoid(logit), target)


def _ssim_loss(image: Tensor, target: Tensor) -> Tensor:
    loss: Tensor = 1.0 - ssim(image, target).mean()
    return loss


_OF_LOGITS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "bce": _bce,
    "bce_logits": F.binary_cross_entropy_with_logits,
}
_OF_IMAGES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "smooth_l1": F.smooth_l1_loss,
    "mse": F.mse_loss,
    "ssim": _ssim_loss,
}
LOSSES = (*_OF_LOGITS, *_OF_IMAGES)
"""Binary cross entropy of the probability, and of the logit (the same value, computed safely); smooth L1; mean squared
error; 1 - SSIM. Each is a mean over the batch, so that processes can share one."""


def loss_of(name: str, logit: Tensor | None, image: Tensor, target: Tensor) -> Tensor:
    """Return one loss.

    Parameters
    ----------
    name : str
        One of `LOSSES`.
    logit : Tensor or None
        What the network gave; None takes the logit of the image.
    image, target : Tensor
        float32 [N, 1, H, W].
    """
    if name in _OF_LOGITS:
        return _OF_LOGITS[name](torch.logit(image, eps=1e-6) if logit is None else logit, target)
    return _OF_IMAGES[name](image, target)


@dataclass(frozen=True)
class Term:
    """A loss with its weight."""

    name: str
    weight: float = 1.0


def read_terms(text: str) -> tuple[Term, ...]:
    """Read ``bce_logits`` or ``bce_logits:1+ssim:0.5``.

    Raises
    ------
    InputError
        When a loss is unknown or a weight is no number above 0.
    """
    terms = []
    for part in text.lower().replace("-", "_").split("+"):
        name, colon, weight = (word.strip() for word in part.partition(":"))
        if name not in LOSSES:
            raise InputError(f"no loss {name!r}", f"there are {', '.join(LOSSES)}; join several by +")
        try:
            value = float(weight) if colon else 1.0
        except ValueError:
            value = math.nan
        if not 0.0 < value < math.inf:
            raise InputError(f"the weight of {name} is {weight!r}", "give a number above 0, such as ssim:0.5")
        terms.append(Term(name, value))
    if len({term.name for term in terms}) < len(terms):
        raise InputError(f"{text!r} names a loss twice", "give it one weight")
    return tuple(terms)


class Objective:
    """What is minimised: terms of the mask and of the depth, as a weighted sum of themselves or of their roots.

    Where processes share a batch, a root is that of the whole batch's loss: each process's gradient is that of its own
    part over twice the common root, so that their mean is the gradient of one process with the whole batch.

    Parameters
    ----------
    mask, depth : str
        As `read_terms` takes them.
    combine : str
        ``weights`` (sum of w l) or ``roots`` (sum of w sqrt(l)).

    Raises
    ------
    InputError
        For an unknown loss or combination.
    """

    def __init__(self, mask: str = "bce_logits", depth: str = "smooth_l1", *, combine: str = "weights") -> None:
        if combine not in COMBINATIONS:
            raise InputError(f"no combination {combine!r} of losses", f"there are {', '.join(COMBINATIONS)}")
        self._terms = {"mask": read_terms(mask), "depth": read_terms(depth)}
        self._roots = combine == "roots"
        self.depth_is_logit = any(term.name in _ON_LOGITS for term in self._terms["depth"])
        """Whether the depth image is the sigmoid of the output; else it is the output."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the terms: ``mask_bce_logits``, ..."""
        return tuple(f"{head}_{term.name}" for head, terms in self._terms.items() for term in terms)

    @property
    def _weights(self) -> tuple[float, ...]:
        return tuple(term.weight for terms in self._terms.values() for term in terms)

    def images(self, output: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Mask and depth as images, float32; the mask and a depth of logits in [0, 1]."""
        mask, depth = (one.float() for one in output)
        return torch.sigmoid(mask), torch.sigmoid(depth) if self.depth_is_logit else depth

    def terms(self, output: tuple[Tensor, Tensor], mask: Tensor, depth: Tensor) -> list[Tensor]:
        """Losses of a batch in the order of `names`, without weights."""
        images = self.images(output)
        parts = zip(self._terms.values(), output, images, (mask, depth), strict=True)
        return [
            loss_of(term.name, logit.float(), image, target) for terms, logit, image, target in parts for term in terms
        ]

    def total(self, losses: list[Tensor], place: Place) -> Tensor:
        """Combine the losses of this process's part of the batch."""
        parts = losses
        if self._roots:
            roots = [mean_over_processes(loss, place).clamp_min(_SMALLEST).sqrt() for loss in losses]
            parts = [root + (loss - loss.detach()) / (2 * root) for loss, root in zip(losses, roots, strict=True)]
        return sum((w * part for w, part in zip(self._weights, parts, strict=True)), start=torch.zeros_like(losses[0]))

    def combined(self, losses: list[float]) -> float:
        """Combine losses that are numbers already."""
        values = [math.sqrt(max(value, _SMALLEST)) if self._roots else value for value in losses]
        return sum(w * value for w, value in zip(self._weights, values, strict=True))
