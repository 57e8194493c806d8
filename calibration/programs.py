"""The whole training steps that a session measures: which, at what batch and precision, and how they are built."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from perfmodel.errors import FailureError

from . import networks, steps
from .measure import Session, import_torch
from .rows import Row
from .steps import Casting, Probe, Program


@dataclass(frozen=True, kw_only=True)
class StepCase:
    """One training step to time.

    Parameters
    ----------
    workload : str
        Name of the network.
    batch : int
        Samples of a step.
    size : int
        Image extent or sequence length; 0 where the network takes one size only.
    size_name : str
        ``image_size``, ``seq_len`` or empty.
    precision : str
        One of `steps.PRECISIONS`.
    optimizer : str
        ``adam`` or ``sgd``.
    blocks : int
        Residual blocks of CycleGAN's generators; 0 elsewhere.
    """

    workload: str
    batch: int
    size: int
    precision: str
    size_name: str = "image_size"
    optimizer: str = "adam"
    blocks: int = 0

    @property
    def key(self) -> str:
        """Text that names this case and no other."""
        words = (self.workload, self.blocks, self.batch, self.size, self.precision, "train", self.optimizer)
        return "|".join(str(word) for word in words)


Build = Callable[[Any, StepCase, str], Program]


def measure_steps(session: Session, *, deadline: float) -> bool:
    """Measure the steps of the session's scale; returns whether all were done by the deadline."""
    for case in cases_for(session.scale.name):
        if session.known(case.key):
            continue
        if time.monotonic() >= deadline:
            return False
        session.emit(_time_case(session, case))
    return True


def _time_case(session: Session, case: StepCase) -> Row:
    """Time one step; a step that does not fit or cannot run becomes a row that says why."""
    device, torch = session.bench.device, session.torch
    repeats = 3 if session.scale.name == "dry" else 15
    try:
        program = _BUILDERS[case.workload](torch, case, device)
        timing = steps.measure_program(program, device=device, repeats=repeats, budget_s=6.0)
    except Exception as error:  # whatever it is, the other steps go on
        if session.cuda:
            _free(torch, error)
        return _row(session, case, error=(str(error).splitlines() or [type(error).__name__])[0][:200])
    row = _row(session, case) | timing.row()
    del program
    if session.cuda:
        torch.cuda.empty_cache()
    return row


def _free(torch: Any, error: Exception) -> None:
    try:
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
    except RuntimeError as broken:
        raise FailureError(
            f"the GPU stopped working after: {error}", "run the same command again; it goes on"
        ) from broken


def _row(session: Session, case: StepCase, *, error: str = "") -> Row:
    names = ("key", "workload", "blocks", "batch", "size_name", "size", "precision", "optimizer")
    return {name: getattr(case, name) for name in names} | {"mode": "train", "threads": session.threads, "error": error}


def cases_for(scale: str) -> list[StepCase]:
    """The steps of a scale (``gpu``, ``cpu`` or ``dry``), in the order of measuring."""
    makers = {"gpu": _gpu_cases, "cpu": _cpu_cases, "dry": _dry_cases}
    return list(makers[scale]())


def _gpu_cases() -> Iterator[StepCase]:
    """The reference networks; CycleGAN first, at the corners of its range."""
    precisions = ("fp32", "tf32", "amp")
    for batch in (1, 16, 4):
        for blocks in (9, 3, 6):
            for precision in precisions:
                yield StepCase(workload="cyclegan", blocks=blocks, batch=batch, size=256, precision=precision)
    for precision in precisions:
        yield StepCase(workload="resnet50", batch=64, size=224, precision=precision, optimizer="sgd")
        yield StepCase(workload="gpt2", batch=8, size=1024, size_name="seq_len", precision=precision)
        yield StepCase(workload="pilotnet", batch=64, size=0, size_name="", precision=precision)
        yield StepCase(workload="dmnet_cnn", batch=32, size=192, precision=precision)
    yield StepCase(workload="gpt2", batch=8, size=1024, size_name="seq_len", precision="amp_bf16")
    yield StepCase(workload="resnet50", batch=8, size=224, precision="amp", optimizer="sgd")
    yield StepCase(workload="pilotnet", batch=1024, size=0, size_name="", precision="fp32")


def _cpu_cases() -> Iterator[StepCase]:
    """Steps that a processor takes in a second or so."""
    for batch in (16, 1, 64):
        yield StepCase(workload="pilotnet", batch=batch, size=0, size_name="", precision="fp32")
    for batch, size in ((1, 96), (2, 96), (1, 192)):
        yield StepCase(workload="dmnet_cnn", batch=batch, size=size, precision="fp32")
    for blocks, size in ((3, 64), (6, 64), (9, 64), (3, 128)):
        yield StepCase(workload="cyclegan", blocks=blocks, batch=1, size=size, precision="fp32")
    yield StepCase(workload="resnet50", batch=2, size=128, precision="fp32", optimizer="sgd")


def _dry_cases() -> Iterator[StepCase]:
    """Tiny steps of every network."""
    yield StepCase(workload="pilotnet", batch=1, size=0, size_name="", precision="fp32")
    yield StepCase(workload="dmnet_cnn", batch=1, size=32, precision="fp32")
    yield StepCase(workload="cyclegan", blocks=3, batch=1, size=32, precision="fp32")
    yield StepCase(workload="resnet50", batch=1, size=64, precision="amp", optimizer="sgd")
    yield StepCase(workload="tiny_gpt", batch=1, size=16, size_name="seq_len", precision="fp32")


def _classifier(torch: Any, case: StepCase, device: str) -> Program:
    """ResNet-50 with cross-entropy on random images."""
    images = _host(torch.randn(case.batch, 3, case.size, case.size), device)
    labels = torch.randint(1000, (case.batch,), device=device)
    loss = torch.nn.functional.cross_entropy
    return fed_program(torch, networks.resnet50(), [images], case, device, loss=lambda output: loss(output, labels))


def _language_model(torch: Any, case: StepCase, device: str) -> Program:
    """GPT-2, as its shipped graph defines it, with cross-entropy on random tokens."""
    from .zoo import transformers

    layers, width, heads, positions = (2, 32, 2, 32) if case.workload == "tiny_gpt" else (12, 768, 12, 1024)
    words = 50257
    sizes = transformers.Sizes(layers, width, heads, width, 4 * width, words, positions)
    network = transformers.Decoder(sizes, joint=True, activation=transformers.GeluNew)
    index = _host(torch.randint(words, (case.batch, case.size)), device)
    labels = torch.randint(words, (case.batch * case.size,), device=device)
    loss = torch.nn.functional.cross_entropy
    return fed_program(torch, network, [index], case, device, loss=lambda out: loss(out.flatten(0, 1), labels))


def _pilotnet(torch: Any, case: StepCase, device: str) -> Program:
    """A driving network with mean squared error to random speeds and turns."""
    from perfmodel.workloads import pilotnet

    tiny = case.workload == "deepest_lstm_tiny_pilotnet"
    size = (pilotnet.TINY_HEIGHT, pilotnet.TINY_WIDTH) if tiny else (pilotnet.HEIGHT, pilotnet.WIDTH)
    images = _host(torch.randn(case.batch, 3, *size), device)
    target = torch.rand(case.batch, 2, device=device)
    loss = torch.nn.functional.mse_loss
    network = driving_network(case.workload)
    return fed_program(torch, network, [images], case, device, loss=lambda output: loss(output, target))


def driving_network(name: str) -> Any:
    """Return the driving network of a zoo name."""
    from perfmodel.workloads import pilotnet

    if name == "deepest_lstm_tiny_pilotnet":
        return pilotnet.DeepestLSTMTinyPilotNet()
    return pilotnet.PilotNet(same=name == "pilotnet_same")


def _depthmap(torch: Any, case: StepCase, device: str) -> Program:
    """A depth and mask network with its own loss to random masks and depths."""
    from perfmodel.workloads import depthmap

    images = _host(torch.randn(case.batch, depthmap.CHANNELS, case.size, case.size), device)
    mask, depth = (torch.rand(case.batch, 1, case.size, case.size, device=device) for _ in range(2))
    network = getattr(depthmap, case.workload)()
    return fed_program(torch, network, [images], case, device, loss=lambda output: depthmap.loss(output, mask, depth))


class _CycleganSession:
    """The contexts that CycleGAN's step opens, as phases of a probe under autocast."""

    def __init__(self, probe: Probe, casting: Casting) -> None:
        self._probe, self._casting = probe, casting

    def forward(self) -> AbstractContextManager[None]:
        """Context of a forward pass."""
        return self._phase("forward")

    def loss(self) -> AbstractContextManager[None]:
        """Context of a loss."""
        return self._phase("loss")

    @contextlib.contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        with self._probe.phase(name), self._casting.context():
            yield


def _cyclegan(torch: Any, case: StepCase, device: str) -> Program:
    """CycleGAN's whole step: two generators, two discriminators, an Adam for each pair; no loss scaling under amp."""
    from perfmodel.workloads import cyclegan

    built = [network.to(device).train() for network in cyclegan.build(case.blocks)]
    halves = [[p for network in built[part] for p in network.parameters()] for part in (slice(0, 2), slice(2, 4))]
    optimizers = [steps.make_optimizer(torch, case.optimizer, half) for half in halves]
    casting = Casting(torch, device=device, precision=case.precision)
    images = [_host(torch.rand(case.batch, 3, case.size, case.size) * 2 - 1, device) for _ in range(2)]
    on_device = [image.to(device) for image in images]

    def step(probe: Probe) -> None:
        copy_inputs(probe, images, on_device)
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        with probe.phase("backward"):  # what of the step is neither forward nor loss
            cyclegan.training_step(_CycleganSession(probe, casting), built, *on_device)
        with probe.phase("optimizer"):
            for optimizer in optimizers:
                optimizer.step()

    return Program(step=step, parameters=sum(parameter.numel() for half in halves for parameter in half))


def build_program(case: StepCase, *, device: str) -> Program:
    """The program of a case on ``cpu`` or ``cuda``."""
    return _BUILDERS[case.workload](import_torch(), case, device)


def _host(tensor: Any, device: str) -> Any:
    """A host tensor, pinned where a GPU will read it."""
    return tensor.pin_memory() if device == "cuda" else tensor


def fed_program(
    torch: Any, module: Any, inputs: Sequence[Any], case: StepCase, device: str, *, loss: Callable[[Any], Any]
) -> Program:
    """The step of a module whose inputs lie in host memory: on a GPU each step begins by copying them there."""
    on_device = [tensor.to(device) for tensor in inputs]
    program = steps.module_program(module, on_device, loss=loss, optimizer=case.optimizer, precision=case.precision)

    def step(probe: Probe) -> None:
        copy_inputs(probe, inputs, on_device)
        program.step(probe)

    return Program(step=step, parameters=program.parameters)


def copy_inputs(probe: Probe, inputs: Sequence[Any], on_device: Sequence[Any]) -> None:
    """Copy host inputs to their tensors on the device; nothing where these are the same."""
    if all(source is target for source, target in zip(inputs, on_device, strict=True)):
        return
    with probe.phase("h2d"):
        for target, source in zip(on_device, inputs, strict=True):
            target.copy_(source, non_blocking=True)


_BUILDERS: dict[str, Build] = {
    "resnet50": _classifier,
    "gpt2": _language_model,
    "tiny_gpt": _language_model,
    "pilotnet": _pilotnet,
    "pilotnet_same": _pilotnet,
    "deepest_lstm_tiny_pilotnet": _pilotnet,
    "dmnet_cnn": _depthmap,
    "dmnet_cnn_v1": _depthmap,
    "dmnet_resnet": _depthmap,
    "cyclegan": _cyclegan,
}
