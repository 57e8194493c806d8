"""Compare cards, batches, precisions and block counts: the same model as `predict`, on whole grids at once.

`grid` computes the points.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from perfmodel.efficiency.prior import Prior, shipped_prior
from perfmodel.errors import InputError, PrecisionError
from perfmodel.graph.graph import Graph
from perfmodel.hardware.gpu import Gpu, find_gpu
from perfmodel.hardware.spec import CPU_ARCH
from perfmodel.runs.stack import Stack, parse_stack
from perfmodel.step.grid import Grid
from perfmodel.step.request import Request, make_request, steps_in, whole

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Answers on a grid; arrays have the shape (gpus, precisions, batches, blocks).

    Attributes
    ----------
    gpus : tuple of Gpu
    precisions : tuple of str
    batches : array of int
    blocks : array of int
        One 0 for a network without blocks.
    step_s, low_s, high_s : array
        NaN where the card lacks the precision.
    memory_gb : array
    fits : array of bool
    grade : array of str, shape (gpus, precisions)
    price : array (gpus,)
        Of one card for an hour; NaN where not known.
    request : Request
        What all points share.
    """

    gpus: tuple[Gpu, ...]
    precisions: tuple[str, ...]
    batches: npt.NDArray[np.int64]
    blocks: npt.NDArray[np.int64]
    step_s: Floats
    low_s: Floats
    high_s: Floats
    memory_gb: Floats
    fits: npt.NDArray[np.bool_]
    grade: npt.NDArray[np.str_]
    price: Floats
    request: Request

    @property
    def global_batch(self) -> npt.NDArray[np.int64]:
        """Samples of a step of all cards, shape (batches, 1)."""
        result: npt.NDArray[np.int64] = self.batches[:, None] * (self.request.gpus * self.request.accumulate)
        return result

    @property
    def samples_per_s(self) -> Floats:
        """Samples a second of all cards of a point."""
        result: Floats = self.global_batch / self.step_s
        return result

    @property
    def unit_steps(self) -> Floats:
        """Steps of an epoch, or of 1000 samples where the data set's size is not known; broadcasts to a point."""
        size = self.request.dataset_size
        steps = 1000.0 / self.global_batch if size is None else np.ceil(size / self.global_batch)
        return np.asarray(steps, dtype=np.float64)

    @property
    def unit_s(self) -> Floats:
        """Seconds of an epoch, or of 1000 samples where the data set's size is not known."""
        result: Floats = self.unit_steps * self.step_s
        return result

    @property
    def unit_cost(self) -> Floats:
        """Money for `unit_s`; NaN where the price is not known."""
        hourly = self.price[:, None, None, None] * self.request.gpus
        result: Floats = self.unit_s * hourly / 3600.0
        return result

    @property
    def pareto(self) -> npt.NDArray[np.bool_]:
        """Points that no other one beats in both time and cost, among those with the same blocks that fit and have a
        price; shape as `step_s`."""
        time, cost = self.unit_s, self.unit_cost
        found = np.zeros(time.shape, dtype=bool)
        usable = self.fits & np.isfinite(time) & np.isfinite(cost)
        for at in range(len(self.blocks)):
            here = usable[..., at]
            found[..., at][here] = non_dominated(time[..., at][here], cost[..., at][here])
        return found

    def columns(self) -> dict[str, npt.NDArray[Any]]:
        """Flat columns, one row a point; what is not known is NaN."""
        gpu, precision, batch, blocks = np.indices(self.step_s.shape).reshape(4, -1)
        unit = "1000_samples" if self.request.dataset_size is None else "epoch"
        found: dict[str, npt.NDArray[Any]] = {
            "gpu": np.array([card.key for card in self.gpus])[gpu],
            "precision": np.array(self.precisions)[precision],
            "batch": self.batches[batch],
            "blocks": self.blocks[blocks],
            "step_ms": 1e3 * self.step_s.ravel(),
            "low_ms": 1e3 * self.low_s.ravel(),
            "high_ms": 1e3 * self.high_s.ravel(),
            "samples_per_s": self.samples_per_s.ravel(),
            "memory_gb": self.memory_gb.ravel(),
            "fits": self.fits.ravel(),
            "evidence": self.grade[gpu, precision],
            f"{unit}_s": self.unit_s.ravel(),
        }
        if self.request.graph.default_blocks is None:
            del found["blocks"]
        if np.isfinite(self.price).any():
            found[f"cost_per_{unit}"] = self.unit_cost.ravel()
            found["pareto"] = self.pareto.ravel()
        return found

    def to_frame(self) -> pd.DataFrame:
        """Rows as a pandas DataFrame."""
        import pandas as pd

        return pd.DataFrame(self.columns())


def non_dominated(time: Floats, cost: Floats) -> npt.NDArray[np.bool_]:
    """Which of n points no other one beats: none is at least as good in both and better in one; shape (n,)."""
    found = np.zeros(time.shape, dtype=bool)
    order = np.lexsort((cost, time))
    best_cost = np.inf
    best_time = -np.inf
    for at in order:
        equal = cost[at] == best_cost and time[at] == best_time
        if cost[at] < best_cost or equal:
            found[at] = True
            best_cost, best_time = cost[at], time[at]
    return found


def compare(
    model: str | Graph = "cyclegan",
    *,
    gpu: Sequence[str | Gpu] = ("p100", "v100", "a100", "h100"),
    batch: Sequence[int] = (1,),
    precision: Sequence[str] = ("fp32",),
    blocks: Sequence[int] | None = None,
    price: float | Mapping[str, float] | None = None,
    prior: Prior | None = None,
    **options: Any,
) -> Comparison:
    """Predict every combination of cards, batches, precisions and blocks.

    Parameters
    ----------
    model : str or Graph
    gpu, batch, precision, blocks : sequences
        Axes of the grid; a precision that a card lacks gives NaN there.
    price : float or mapping of str to float, optional
        Of a card for an hour, for all cards or by name.
    prior : Prior, optional
    **options
        Everything else that `perfmodel.predict` takes; a profile counts for the card it describes.

    Raises
    ------
    InputError
        When an axis is empty or an option makes no sense.
    """
    axes = {"gpu": gpu, "batch": batch, "precision": precision}
    for name, axis in axes.items() if blocks is None else {**axes, "blocks": blocks}.items():
        if isinstance(axis, str) or not len(axis):
            raise InputError(f"compare needs at least one {name} in a list, not {axis!r}", f"give --{name}")
    cards = tuple(one if isinstance(one, Gpu) else find_gpu(one) for one in gpu)
    for name, numbers in (("batch", batch), ("blocks", blocks or ())):
        for one in numbers:
            whole(name, one)
    counts = None if blocks is None else np.array(sorted(set(blocks)), dtype=np.int64)
    for name in precision:
        _check_precision(name, cards)
    profile = options.pop("profile", None)

    def request(card: Gpu) -> Request:
        return make_request(
            model, gpu=card, batch=int(min(batch)), precision=_first_supported(card, precision),
            blocks=None if counts is None else int(counts[0]), **options,
        )  # fmt: skip

    first = next((card for card in cards if card.arch != CPU_ARCH), cards[0])
    ask = replace(request(first), profile=profile)
    if ask.graph.fixed_batch is not None:
        make_request(ask.graph, gpu=cards[0], batch=int(max(batch)), mode=ask.mode)
    if counts is None:
        counts = np.array([ask.blocks or 0], dtype=np.int64)
    batches = np.array(batch, dtype=np.int64)
    stack = options.get("stack") or "newest"
    stacks = tuple(stack if isinstance(stack, Stack) else parse_stack(stack, card) for card in cards)
    grid = Grid(ask, cards, stacks, tuple(precision), batches, counts, prior or shipped_prior())
    grid.run()
    for row, card in enumerate(cards):
        if card.arch == CPU_ARCH:
            _processor_points(grid, row, request(card))
    capacity = np.array([card.memory_gb for card in cards])[:, None, None, None]
    return Comparison(
        gpus=cards, precisions=tuple(precision), batches=batches, blocks=counts, step_s=grid.step, low_s=grid.low,
        high_s=grid.high, memory_gb=grid.memory, fits=grid.memory <= capacity, grade=grid.grade,
        price=_prices(price, cards), request=ask,
    )  # fmt: skip


def _processor_points(grid: Grid, row: int, ask: Request) -> None:
    """Fill the points of a processor one by one: its operators have a time model of their own."""
    from perfmodel.step.predict import answer

    for column, text in enumerate(grid.precisions):
        try:
            precision = steps_in(text, grid.cards[row])
        except PrecisionError:
            continue
        for at in np.ndindex(len(grid.batches), len(grid.blocks)):
            batch, blocks = int(grid.batches[at[0]]), int(grid.blocks[at[1]]) or None
            one = answer(replace(ask, gpu=grid.cards[row], precision=precision, batch=batch, blocks=blocks), grid.prior)
            place = (row, column, *at)
            grid.step[place], grid.low[place], grid.high[place] = one.step_s.median, one.step_s.low, one.step_s.high
            grid.memory[place] = one.memory_bytes["peak"] / 1e9
            grid.grade[row, column] = one.evidence.grade


def _prices(price: float | Mapping[str, float] | None, cards: Sequence[Gpu]) -> Floats:
    """Price of each card for an hour, NaN where not given."""
    if not isinstance(price, Mapping):
        price = {} if price is None else {card.key: price for card in cards}
    known: dict[str, float] = {}
    for name, value in price.items():
        key = find_gpu(name).key
        if not 0.0 <= value < np.inf:
            raise InputError(
                f"price of {name} must be at least 0, not {value}", "give the price of one card for an hour"
            )
        if key not in {card.key for card in cards}:
            raise InputError(
                f"there is a price for {name}, which is not compared", f"add it to the cards: --gpu {name}"
            )
        known[key] = float(value)
    return np.array([known.get(card.key, np.nan) for card in cards])


def _check_precision(text: str, cards: Sequence[Gpu]) -> None:
    """Refuse a precision that is unknown, or that none of the cards has."""
    failures = []
    for card in cards:
        try:
            steps_in(text, card)
            return
        except PrecisionError as error:
            failures.append(error)
    raise failures[0]


def _first_supported(card: Gpu, precisions: Sequence[str]) -> str:
    for name in precisions:
        try:
            return steps_in(name, card)
        except PrecisionError:
            continue
    return "fp32"
