"""Settings of a run of a depth and mask network."""

from __future__ import annotations

from dataclasses import dataclass

from perfmodel.errors import InputError
from perfmodel.workloads.depthmap.augmentation import Augmentation
from perfmodel.workloads.depthmap.losses import Objective
from perfmodel.workloads.depthmap.networks import SIZE, find_network
from perfmodel.workloads.depthmap.similarity import WINDOW
from perfmodel.workloads.training.options import HeldOutOptions

MEMORY = ("auto", "yes", "no")


@dataclass(frozen=True, kw_only=True)
class Options(HeldOutOptions):
    """Settings of a run beside `HeldOutOptions`.

    Attributes
    ----------
    data : str
        Folder or ZIP of quadruples.
    network : str
        One of `perfmodel.workloads.depthmap.NETWORKS`.
    size : int
        Pixels of a side.
    mask_loss, depth_loss, combine : str
        As `Objective` takes them.
    cycle : int
        Steps in which the learning rate rises from a tenth of its maximum ``learning_rate`` to it, and in which it
        falls back; 0 for two epochs.
    patience : int
        Epochs without a lower held-out loss before the maximum is halved.
    memory : str
        Decode all samples once and hold them (``yes``), read each when it is needed (``no``), or hold a ZIP and read
        a folder (``auto``).
    augment : bool
        Off: samples as they are.
    flip, jitter, cutout
        As `Augmentation` takes them.
    """

    data: str
    network: str = "dmnet_cnn"
    size: int = SIZE
    workers: int = 6
    validation: float = 0.3
    mask_loss: str = "bce_logits"
    depth_loss: str = "smooth_l1"
    combine: str = "weights"
    cycle: int = 0
    patience: int = 3
    memory: str = "auto"
    augment: bool = True
    flip: bool = True
    jitter: float = 0.2
    cutout: float = 0.2

    def __post_init__(self) -> None:
        """Refuse values that cannot be trained with."""
        super().__post_init__()
        object.__setattr__(self, "network", find_network(self.network))
        if self.size < WINDOW:
            raise InputError(f"--size is {self.size}", f"give {WINDOW} or more: SSIM needs a window of that size")
        if self.cycle < 0 or self.patience < 0:
            raise InputError("--cycle or --patience is below 0", "give 0 or more")
        if self.memory not in MEMORY:
            raise InputError(f"--memory is {self.memory!r}", f"give {', '.join(MEMORY)}")
        self.augmentation()
        self.objective()

    def augmentation(self) -> Augmentation | None:
        """How samples are changed; None for not at all."""
        found = Augmentation(flip=self.flip, jitter=self.jitter, cutout=self.cutout)
        return found if self.augment else None

    def objective(self) -> Objective:
        """What is minimised."""
        return Objective(self.mask_loss, self.depth_loss, combine=self.combine)
