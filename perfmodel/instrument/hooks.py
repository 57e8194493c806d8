"""Finding the phases of torch models by hooks, so that a loop needs no line for them.

Forward: from the call of a module to its return. Loss: from there to the start of the backward pass. Backward: from
the first gradient that reaches an output to the end of `Tensor.backward`, when autograd calls back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from perfmodel.instrument.steps import StepPhases

Undo = Callable[[], None]


class Watcher:
    """Watches modules and optimizers of one loop; one phase is open at a time.

    Parameters
    ----------
    phases : StepPhases
        What is told of the phases.
    """

    def __init__(self, phases: StepPhases) -> None:
        self._phases = phases
        self._open = ""
        self._depth = 0
        self._point: tuple[int, Any] = (0, None)

    def watch_model(self, module: Any) -> list[Undo]:
        """Hook a module; returns what takes the hooks off."""
        enter = module.register_forward_pre_hook(self._before_forward)
        leave = module.register_forward_hook(self._after_forward, always_call=True)
        return [enter.remove, leave.remove]

    def watch_optimizer(self, optimizer: Any) -> list[Undo]:
        """Hook an optimizer's step; returns what takes the hooks off."""
        before = optimizer.register_step_pre_hook(lambda *_: self._switch("optimizer"))
        after = optimizer.register_step_post_hook(lambda *_: self._switch(""))
        return [before.remove, after.remove]

    def stop(self) -> None:
        """Close the open phase, as when a named phase or the next step begins."""
        if self._open:
            self._switch("")

    def _switch(self, phase: str) -> None:
        """Close the open phase and open another (none when empty)."""
        if self._open:
            self._phases.add(self._open, *self._point)
        self._open = phase
        if phase:
            self._point = self._phases.point()

    def _before_forward(self, module: Any, args: Any) -> None:
        self._depth += 1
        if self._depth == 1 and self._open != "backward":  # recomputed activations belong to the backward pass
            self._switch("forward")

    def _after_forward(self, module: Any, args: Any, output: Any) -> None:
        self._depth -= 1
        if self._depth or self._open == "backward":
            return
        tensors = [tensor for tensor in tensors_of(output) if tensor.requires_grad]
        self._switch("loss" if tensors else "")
        for tensor in tensors:
            tensor.register_hook(self._backward_begins)

    def _backward_begins(self, gradient: Any) -> None:
        if self._open == "backward":
            return
        self._switch("backward")
        from torch.autograd import Variable

        engine: Any = Variable._execution_engine
        engine.queue_callback(self._backward_ends)

    def _backward_ends(self) -> None:
        if self._open == "backward":
            self._switch("")


def tensors_of(value: Any) -> list[Any]:
    """All tensors of a nested output."""
    if hasattr(value, "requires_grad"):
        return [value]
    if isinstance(value, dict):
        return [tensor for item in value.values() for tensor in tensors_of(item)]
    if isinstance(value, list | tuple):
        return [tensor for item in value for tensor in tensors_of(item)]
    return []
