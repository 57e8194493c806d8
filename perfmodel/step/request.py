"""A question as a user asks it, checked and with every default filled in."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from perfmodel.efficiency.profile import Profile
from perfmodel.errors import InputError, PrecisionError
from perfmodel.graph import optimizers
from perfmodel.graph.catalogue import resolve
from perfmodel.graph.graph import Graph
from perfmodel.hardware.gpu import Gpu, find_gpu
from perfmodel.hardware.host import Host, find_host
from perfmodel.hardware.precision import resolve_precision
from perfmodel.hardware.spec import CPU_ARCH
from perfmodel.loading.model import LoaderModel
from perfmodel.roofline.physical import VARIANT_OF
from perfmodel.runs.stack import Stack, parse_stack
from perfmodel.runs.timing import TimingScope, read_timing
from perfmodel.step.compute import FULL_INFERENCE, FULL_TRAINING, Plan

if TYPE_CHECKING:
    from perfmodel.loading.loader import Loader

MODES = ("train", "infer")
#: Image sets of the loading model, by workload; other image networks read classification images.
_IMAGES = {"cyclegan": "cyclegan", "pilotnet": "pilotnet", "dmnet": "depthmap"}
#: Images of an epoch where a workload has a customary number (1000 images a domain, REFERENCE: its training options).
_DATASET = {"cyclegan": 1000}
_WORKERS = 4
LOADERS = {"torch": "pil", "pil": "pil", "native": "native", "opencv": "opencv", "grain": "grain"}


@dataclass(frozen=True, kw_only=True)
class Request:
    """Everything a prediction depends on; build it with `make_request`.

    Attributes
    ----------
    graph, model : Graph, str
        Network and its canonical name.
    resolved : str
        ``graph`` or ``totals``.
    gpu : Gpu
    gpus : int
        Cards that train data-parallel.
    batch : int
        Samples of one micro-batch on one card.
    size, blocks : int or None
        Image size or sequence length, residual blocks; None where the network has none.
    precision : str
        Canonical and resolved.
    mode, stack, optimizer, accumulate, checkpoint
        As in `Plan`.
    scope : TimingScope or None
        Timed region when it is not the whole step.
    campaign : str
        Measuring campaign whose habits apply; empty for none.
    host : Host
    loader : LoaderModel or None
        None when nothing is loaded.
    workers : int
        Loader processes of one card.
    dataset_size : int or None
        Samples of an epoch.
    price : float or None
        Per card and hour.
    coverage : float
        Of the interval.
    profile : Profile or None
    timing : str
        Words that `scope` was read from; empty where none were given.
    """

    graph: Graph
    model: str
    resolved: str
    gpu: Gpu
    gpus: int
    batch: int
    size: int | None
    blocks: int | None
    precision: str
    mode: str
    stack: Stack
    optimizer: str
    accumulate: int
    checkpoint: bool
    scope: TimingScope | None
    campaign: str
    host: Host
    loader: LoaderModel | None
    workers: int
    dataset_size: int | None
    price: float | None
    coverage: float
    profile: Profile | None = None
    timing: str = ""

    @property
    def plan(self) -> Plan:
        """The part that the compute model needs."""
        full = FULL_TRAINING if self.mode == "train" else FULL_INFERENCE
        return Plan(
            graph=self.graph,
            mode=self.mode,
            precision=self.precision,
            scope=self.scope or full,
            stack=self.stack,
            model=self.model,
            family=self.graph.family,
            resolved=self.resolved,
            campaign=self.campaign,
            optimizer=self.optimizer,
            accumulate=self.accumulate,
            checkpoint=self.checkpoint,
        )


def make_request(
    model: str | Graph = "cyclegan",
    *,
    gpu: str | Gpu = "p100",
    gpus: int = 1,
    batch: int = 1,
    size: int | None = None,
    blocks: int | None = None,
    precision: str = "fp32",
    mode: str = "train",
    stack: str | Stack | None = None,
    optimizer: str = "default",
    accumulate: int = 1,
    checkpoint: bool = False,
    timing: str | TimingScope | None = None,
    campaign: str = "",
    host: str | Host = "default",
    loader: str | LoaderModel | Loader | None = "torch",
    workers: int | None = None,
    dataset_size: int | None = None,
    price: float | None = None,
    coverage: float = 0.9,
    profile: Profile | None = None,
    resolved: str | None = None,
) -> Request:
    """Check a question and fill in its defaults; the arguments are those of `perfmodel.predict`.

    A `Loader` stands for the time model of its own files and its threads.

    Raises
    ------
    InputError
        When an argument makes no sense or names something unknown.
    """
    for name, value in (("batch", batch), ("gpus", gpus), ("accumulate", accumulate), ("dataset_size", dataset_size)):
        if value is not None:
            whole(name, value)
    workers = _workers(workers, loader)
    _check_share_and_price(coverage, price)
    if mode not in MODES:
        raise InputError(f"mode {mode!r} is unknown", f"give one of {', '.join(MODES)}")
    card = gpu if isinstance(gpu, Gpu) else find_gpu(gpu)
    if profile is not None and profile.gpu != card.key:
        raise InputError(f"the profile describes {profile.gpu}, not {card.key}", f"give --gpu {profile.gpu}")
    if card.arch == CPU_ARCH:
        if gpus > 1:
            raise InputError("a machine has one processor", "leave --gpus out; cpu:N says how many threads compute")
        host = "local" if host == "default" else host
    graph, name, options = _network(model, size)
    machine = host if isinstance(host, Host) else find_host(host)
    chosen = stack if isinstance(stack, Stack) else parse_stack(stack or "newest", card)
    scope = _scope(timing, mode, loader)
    return Request(
        graph=graph,
        model=name,
        resolved=resolved or "graph",
        gpu=card,
        gpus=gpus,
        batch=_batch(graph, batch),
        size=_size(graph, size, options, _mode(graph, mode)),
        blocks=_blocks(graph, blocks),
        precision=steps_in(precision, card),
        mode=_mode(graph, mode),
        stack=chosen,
        optimizer=_optimizer(optimizer),
        accumulate=accumulate,
        checkpoint=checkpoint,
        scope=scope,
        campaign=campaign,
        host=machine,
        loader=_loader(loader, graph, machine, timed=scope is not None),
        workers=workers,
        dataset_size=dataset_size if dataset_size is not None else _DATASET.get(graph.family),
        price=price,
        coverage=coverage,
        profile=profile,
        timing=timing if isinstance(timing, str) else "",
    )


def _workers(workers: int | None, loader: str | LoaderModel | Loader | None) -> int:
    """Workers of a card: as given, or the threads of a loader, or the customary number."""
    if workers is None:
        threads = getattr(loader, "workers", _WORKERS)
        return threads if isinstance(threads, int) else _WORKERS
    whole("workers", workers, least=0)
    return workers


def _scope(
    timing: str | TimingScope | None, mode: str, loader: str | LoaderModel | Loader | None
) -> TimingScope | None:
    """The timed region: what the words say; without a loader, the whole step with its input on the card already."""
    if isinstance(timing, str):
        return read_timing(timing, "", mode)
    if timing is None and loader in (None, "none"):
        return FULL_TRAINING if mode == "train" else FULL_INFERENCE
    return timing


def whole(name: str, value: float, *, least: int = 1) -> None:
    """Refuse what is not a whole number of at least `least`."""
    good = not isinstance(value, bool) and isinstance(value, int | float | np.integer) and math.isfinite(value)
    if not good or int(value) != value or value < least:
        label = name.replace("_", "-")
        raise InputError(
            f"{label} must be a whole number of at least {least}, not {value!r}", f"give --{label} {least} or more"
        )


def _check_share_and_price(coverage: float, price: float | None) -> None:
    if not 0.0 < coverage < 1.0:
        raise InputError(f"an interval cannot cover {coverage}", "give a share between 0 and 1, such as 0.9")
    if price is not None and not 0.0 <= price < math.inf:
        raise InputError(f"price must be at least 0, not {price}", "give the price of one card for an hour")


def _network(model: str | Graph, size: int | None) -> tuple[Graph, str, Mapping[str, Any]]:
    if isinstance(model, Graph):
        return model, model.name, {}
    graph, options = resolve(model, size=size)
    return graph, graph.name, options


def steps_in(text: str, card: Gpu) -> str:
    """Return the canonical precision of a step on a card.

    Raises
    ------
    PrecisionError
        When it is unknown, the card lacks it, or steps in it are not modelled (fp64).
    """
    found = resolve_precision(text, card)
    if found not in VARIANT_OF:
        raise PrecisionError(f"steps in {found} are not modelled", f"give one of {', '.join(VARIANT_OF)}")
    return found


def _optimizer(name: str) -> str:
    if name != "default":
        try:
            optimizers.parse(name)
        except ValueError as error:
            reason, _, remedy = str(error).partition("; ")
            raise InputError(reason, remedy) from None
    return name


def _batch(graph: Graph, batch: int) -> int:
    if graph.fixed_batch is not None and batch != graph.fixed_batch:
        raise InputError(
            f"{graph.name} runs at batch {graph.fixed_batch} only, not {batch}",
            "give inputs of that batch, or a network that accepts any",
        )
    return int(batch)


def _size(graph: Graph, size: int | None, options: Mapping[str, Any], mode: str) -> int | None:
    scaled = graph.size_name == "image_size"  # a graph captured at one image size scales with the pixels
    if graph.size_name is None or not (graph.size_step or scaled):
        if size is not None and size != graph.default_size:
            fixed = f" of {graph.default_size}" if graph.size_name else ""
            raise InputError(f"{graph.name} has a fixed input size{fixed}", "leave the size out")
        return None
    chosen = size if size is not None else int(options.get("size", graph.default_size))
    label = graph.size_name.replace("_", "-")
    if chosen != chosen or chosen < 1 or int(chosen) != chosen:
        raise InputError(f"{label} must be a whole number of at least 1, not {chosen}", f"give --{label} 1 or more")
    if not _computes(graph, chosen, mode):
        raise InputError(f"{label} {chosen} is too small for {graph.name}", f"the default is {graph.default_size}")
    return int(chosen)


def _computes(graph: Graph, size: int, mode: str) -> bool:
    """Whether a size leaves something to compute in every layer; sizes near the default always do."""
    if 2 * size >= graph.default_size or not graph.size_step:
        return True
    ops = graph.operators(batch=graph.fixed_batch or 1, size=size, mode=mode, optimizer=None)
    product = ops.k > 0
    sizes = (ops.b, ops.m, ops.n)
    usual = graph.operators(batch=graph.fixed_batch or 1, mode=mode, optimizer=None)
    return bool(
        np.array_equal(product, usual.k > 0)
        and all((np.broadcast_to(one, product.shape)[product] >= 1).all() for one in sizes)
        and (ops.read + ops.write > 0).all()
        and (np.minimum(ops.read, ops.write) >= 0).all()
    )


def _blocks(graph: Graph, blocks: int | None) -> int | None:
    if graph.default_blocks is None:
        if blocks is not None:
            raise InputError(f"{graph.name} has no block count", "leave --blocks out")
        return None
    if blocks is None:
        return graph.default_blocks
    whole("blocks", blocks)
    return int(blocks)


def _mode(graph: Graph, mode: str) -> str:
    if mode not in graph.modes:
        raise InputError(f"{graph.name} has no mode {mode!r}", f"it has {', '.join(graph.modes)}")
    return mode


def _loader(loader: str | LoaderModel | Loader | None, graph: Graph, host: Host, *, timed: bool) -> LoaderModel | None:
    if isinstance(loader, LoaderModel) or loader is None:
        return loader
    if not isinstance(loader, str):
        return loader.model(host)
    if loader != "none" and loader not in LOADERS:
        raise InputError(f"loader {loader!r} is unknown", f"give one of {', '.join(LOADERS)}, none")
    if loader == "none" or timed or graph.unit != "image":
        return None
    images = _IMAGES.get(graph.family, "classification")
    return LoaderModel(pipeline=LOADERS[loader], images=images, host=host)
