"""Settings of a run of a driving network."""

from __future__ import annotations

from dataclasses import dataclass

from perfmodel.workloads.pilotnet.augmentation import Augmentation
from perfmodel.workloads.pilotnet.networks import find_network
from perfmodel.workloads.training.options import HeldOutOptions


@dataclass(frozen=True, kw_only=True)
class Options(HeldOutOptions):
    """Settings of a run beside `HeldOutOptions`.

    Attributes
    ----------
    data : tuple of str
        Folders with ``labels.csv``, or with such folders in them.
    network : str
        One of `perfmodel.workloads.pilotnet.NETWORKS`.
    augment : bool
        Off: frames as they are.
    flip, brightness, contrast, rise, shift
        As `Augmentation` takes them.
    """

    data: tuple[str, ...]
    network: str = "pilotnet"
    batch: int = 64
    learning_rate: float = 1e-4
    augment: bool = True
    flip: bool = True
    brightness: float = 0.3
    contrast: float = 0.2
    rise: float = 0.03
    shift: float = 0.0

    def __post_init__(self) -> None:
        """Refuse values that cannot be trained with; take one folder as a tuple of it."""
        super().__post_init__()
        object.__setattr__(self, "network", find_network(self.network))
        object.__setattr__(self, "data", (self.data,) if isinstance(self.data, str) else tuple(self.data))
        self.augmentation()

    def augmentation(self) -> Augmentation | None:
        """How frames are changed; None for not at all."""
        found = Augmentation(
            flip=self.flip, brightness=self.brightness, contrast=self.contrast, rise=self.rise, shift=self.shift
        )
        return found if self.augment else None
