"""What was measured of this machine as a host: cost of loading pipelines, scaling of cores, storage, memory.

A profile lies in the user's data directory as versioned JSON; `perfmodel.loading.calibration` measures it. It holds
neither the machine's name nor the user's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from perfmodel.hardware.host import Host
from perfmodel.hardware.profile_file import ProfileFile
from perfmodel.hardware.storage import user_data_dir

SCHEMA_VERSION = 1
MEASURE = "`perfmodel loader calibrate`"
_FILE = ProfileFile(kind="host", of="a host", version=SCHEMA_VERSION, made_by=MEASURE)
_FIGURES = ("decode_speed", "storage_mbs", "storage_iops", "read_latency_ms", "stream_mbs", "memory_gbs")


@dataclass(frozen=True, kw_only=True)
class HostProfile:
    """Measured figures of a host.

    Attributes
    ----------
    processor : str
        Model name; a profile is used on no other.
    figures : mapping of str to float
        Fields of `Host` that were measured.
    pipelines : mapping of str to mapping
        For each pipeline and kind of file the coefficients of `perfmodel.loading.pipelines.Cost`, ms.
    residual_sd : mapping of str to float
        For each pipeline the root mean square log residual of the fit.
    scaling : mapping of str to sequence of (workers, cores)
        How many full cores so many ``processes`` or ``threads`` get.
    provenance : mapping
        Date, versions, cores, quota, what else was running.
    """

    processor: str
    figures: Mapping[str, float]
    pipelines: Mapping[str, Mapping[str, Mapping[str, float]]]
    residual_sd: Mapping[str, float] = field(default_factory=dict)
    scaling: Mapping[str, Sequence[Sequence[float]]] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def date(self) -> str:
        """Day of the measurement."""
        return str(self.provenance.get("date", "unknown"))

    def effective_cores(self, workers: npt.ArrayLike, *, threads: bool = False) -> npt.NDArray[np.float64]:
        """Return how many full cores so many busy workers get, between the numbers that were measured."""
        first, second = ("threads", "processes") if threads else ("processes", "threads")
        points = np.array(self.scaling.get(first) or self.scaling.get(second) or [(1.0, 1.0)], dtype=np.float64)
        p = np.asarray(workers, dtype=np.float64)
        beyond = points[-1, 1] * np.maximum(p / points[-1, 0], 1.0)  # cores that were not there when it was measured
        return np.asarray(np.where(p > points[-1, 0], beyond, np.interp(p, points[:, 0], points[:, 1])))

    def apply(self, host: Host) -> Host:
        """Return a host with these figures."""
        figures = {name: float(self.figures[name]) for name in _FIGURES if name in self.figures}
        source = f"measured by {MEASURE} on {self.date}"
        return replace(host, **figures, source=source, profile=self)  # type: ignore[arg-type]

    def to_dict(self) -> dict[str, Any]:
        """JSON document."""
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": "host",
            "processor": self.processor,
            "figures": dict(self.figures),
            "pipelines": {key: {kind: dict(cost) for kind, cost in one.items()} for key, one in self.pipelines.items()},
            "residual_sd": dict(self.residual_sd),
            "scaling": {name: [list(point) for point in points] for name, points in self.scaling.items()},
            "provenance": dict(self.provenance),
        }

    def save(self, path: Path) -> None:
        """Write the profile as JSON, replacing an earlier one as a whole."""
        _FILE.write(path, self.to_dict())

    @classmethod
    def load(cls, path: Path) -> HostProfile:
        """Read a profile.

        Raises
        ------
        InputError
            When the file is missing or no profile of a host.
        FailureError
            When its schema is another version's.
        """
        document = _FILE.read(path)
        try:
            return cls(**{name: document[name] for name in cls.__dataclass_fields__})._checked()
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            _FILE.refuse(path, error)

    def _checked(self) -> HostProfile:
        """Refuse figures that cannot be."""
        figures = [*self.figures.values(), *self.residual_sd.values()]
        figures += [value for one in self.pipelines.values() for cost in one.values() for value in cost.values()]
        figures += [value for points in self.scaling.values() for point in points for value in point]
        if not all(isinstance(value, int | float) and np.isfinite(value) and value >= 0 for value in figures):
            raise ValueError("a figure is negative or no number")
        if not all("jpeg" in one for one in self.pipelines.values()):
            raise ValueError("a pipeline lacks JPEG")
        self.apply(Host(key="local", name="this machine", cores=1))
        return self


def profile_path() -> Path:
    """Return where this machine's profile lies."""
    return user_data_dir() / "hosts" / "local.json"


def local_profile() -> HostProfile | None:
    """Return the profile that was measured on this machine; None where there is none, or for another processor.

    Raises
    ------
    InputError, FailureError
        As `HostProfile.load`.
    """
    from perfmodel.hardware.cpu import processor_name

    path = profile_path()
    if not path.is_file():
        return None
    profile = HostProfile.load(path)
    return profile if profile.processor == processor_name() else None
