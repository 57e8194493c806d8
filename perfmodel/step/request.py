"""A question as a user asks it, checked and with every default filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from perfmodel.efficiency.profile import Profile
from perfmodel.errors import InputError
from perfmodel.graph.graph import Graph
from perfmodel.graph.names import resolve
from perfmodel.hardware.gpu import Gpu, find_gpu
from perfmodel.hardware.spec import CPU_ARCH
from perfmodel.hardware.host import Host, find_host
from perfmodel.hardware.precision import resolve_precision
from perfmodel.loading.model import LoaderModel
from perfmodel.runs.stack import Stack, parse_stack
from perfmodel.runs.timing import TimingScope, read_timing
from perfmodel.step.compute import FULL_INFERENCE, FULL_TRAINING, Plan

MODES = ("train", "infer")
#: Image sets of the loading model, by workload; other image networks read classification images.
_IMAGES = {"cyclegan": "cyclegan", "pilotnet": "pilotnet", "dmnet": "depthmap"}
#: Images of an epoch where a workload has a customary number (1000 images a domain, REFERENCE: its training options).
_DATASET = {"cyclegan": 1000}
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
    asked: Mapping[str, Any] = field(default_factory=dict)

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
    loader: str | LoaderModel | None = "torch",
    workers: int = 4,
    dataset_size: int | None = None,
    price: float | None = None,
    coverage: float = 0.9,
    profile: Profile | None = None,
) -> Request:
    """Check a question and fill in its defaults; the arguments are those of `perfmodel.predict`."""
    for name, value in (("batch", batch), ("gpus", gpus), ("accumulate", accumulate)):
        _positive_int(name, value)
    if mode not in MODES:
        raise InputError(f"mode {mode!r} is unknown", f"give one of {', '.join(MODES)}")
    if not 0.0 < coverage < 1.0:
        raise InputError(f"an interval cannot cover {coverage}", "give a share between 0 and 1, such as 0.9")
    if workers < 0:
        raise InputError(f"workers must be at least 0, not {workers}", "0 loads in the training process")
    card = gpu if isinstance(gpu, Gpu) else find_gpu(gpu)
    graph, name, resolved, options = _network(model)
    if card.arch == CPU_ARCH:
        if gpus > 1:
            raise InputError("a machine has one processor", "leave --gpus out; cpu:N says how many threads compute")
        host = "local" if host == "default" else host
    machine = host if isinstance(host, Host) else find_host(host)
    chosen = stack if isinstance(stack, Stack) else parse_stack(stack or "newest", card)
    scope = read_timing(timing, "", mode) if isinstance(timing, str) else timing
    return Request(
        graph=graph,
        model=name,
        resolved=resolved,
        gpu=card,
        gpus=gpus,
        batch=batch,
        size=_size(graph, size, options),
        blocks=_blocks(graph, blocks),
        precision=resolve_precision(precision, card),
        mode=_mode(graph, mode),
        stack=chosen,
        optimizer=optimizer,
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
    )


def _positive_int(name: str, value: int) -> None:
    if isinstance(value, bool) or int(value) != value or value < 1:
        raise InputError(f"{name} must be a whole number of at least 1, not {value}", f"give --{name} 1 or more")


def _network(model: str | Graph) -> tuple[Graph, str, str, Mapping[str, float]]:
    if isinstance(model, Graph):
        return model, model.name, "totals" if model.family == "totals" else "graph", {}
    graph, options = resolve(model)
    return graph, graph.name, "graph", options


def _size(graph: Graph, size: int | None, options: Mapping[str, float]) -> int | None:
    if graph.size_name is None or not graph.size_step:
        if size is not None and size != graph.default_size:
            raise InputError(f"{graph.name} has a fixed input size", "leave the size out")
        return None
    chosen = size if size is not None else int(options.get(graph.size_name, graph.default_size))
    if chosen < 1:
        label = graph.size_name.replace("_", "-")
        raise InputError(f"{label} must be at least 1, not {chosen}", f"the default is {graph.default_size}")
    return chosen


def _blocks(graph: Graph, blocks: int | None) -> int | None:
    if graph.default_blocks is None:
        if blocks is not None:
            raise InputError(f"{graph.name} has no block count", "leave --blocks out")
        return None
    if blocks is None:
        return graph.default_blocks
    if blocks < 1:
        raise InputError(f"blocks must be at least 1, not {blocks}", "published runs use 3 to 9")
    return blocks


def _mode(graph: Graph, mode: str) -> str:
    if mode not in graph.modes:
        raise InputError(f"{graph.name} has no mode {mode!r}", f"it has {', '.join(graph.modes)}")
    return mode


def _loader(loader: str | LoaderModel | None, graph: Graph, host: Host, *, timed: bool) -> LoaderModel | None:
    if isinstance(loader, LoaderModel) or loader is None:
        return loader
    if loader == "none" or timed or graph.unit != "image":
        return None
    if loader not in LOADERS:
        raise InputError(f"loader {loader!r} is unknown", f"give one of {', '.join(LOADERS)}, none")
    images = _IMAGES.get(graph.family, "classification")
    return LoaderModel(pipeline=LOADERS[loader], images=images, host=host)
