"""What was measured of this machine's processor: its profile, and step features that follow from it.

A profile belongs to one processor and one number of threads. It lies in the user's data directory as versioned JSON;
`perfmodel.calibration.cpu_profile` measures and fits it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from perfmodel.efficiency.features import StepFeatures, collect
from perfmodel.graph.operators import Operators
from perfmodel.hardware.cpu import lanes, slug
from perfmodel.hardware.profile_file import ProfileFile
from perfmodel.hardware.spec import Gpu
from perfmodel.hardware.storage import user_data_dir
from perfmodel.roofline.cpu import CpuCoefficients, cpu_time

SCHEMA_VERSION = 1
MEASURE = "`perfmodel measure --device cpu --profile`"
_FILE = ProfileFile(kind="cpu", of="a processor", version=SCHEMA_VERSION, made_by=MEASURE)
#: Standard deviation of log step time where nothing was measured (typical coefficients of another processor).
UNMEASURED_SD = 0.5
#: Share of the operators' residual variance that operators of a step have in common, so that it does not average out.
_COMMON = 0.25
#: Standard deviation of log step time that no profile explains: repeats, other use of the machine.
_REPEAT_SD = 0.08
#: The same for each share of the machine that others used while it was measured: they take cache and bandwidth.
_SHARED_SD = 0.12


@dataclass(frozen=True, kw_only=True)
class CpuProfile:
    """Coefficients of a processor with what they rest on.

    Attributes
    ----------
    processor : str
        Model name.
    coefficients : CpuCoefficients
    rows : int
        Operators measured; 0 for typical figures.
    residual_sd : float
        Root mean square log residual of the fit.
    provenance : mapping
        Date, versions, clock, load of the machine, rows and residual by class.
    """

    processor: str
    coefficients: CpuCoefficients
    rows: int = 0
    residual_sd: float = 0.0
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def variance(self) -> float:
        """Variance of log step time."""
        if not self.rows:
            return UNMEASURED_SD**2
        shared = _SHARED_SD * float(self.provenance.get("used_by_others") or 0.0)
        return _COMMON * self.residual_sd**2 + _REPEAT_SD**2 + shared**2

    def to_dict(self) -> dict[str, Any]:
        """JSON document."""
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": "cpu",
            "processor": self.processor,
            "rows": self.rows,
            "residual_sd": self.residual_sd,
            "coefficients": self.coefficients.to_dict(),
            "provenance": dict(self.provenance),
        }

    def save(self, path: Path) -> None:
        """Write the profile as JSON, replacing an earlier one as a whole."""
        _FILE.write(path, self.to_dict())
        _load_cached.cache_clear()

    @classmethod
    def load(cls, path: Path) -> CpuProfile:
        """Read a profile.

        Raises
        ------
        InputError
            When the file is missing or no profile of a processor.
        FailureError
            When its schema is another version's.
        """
        document = _FILE.read(path)
        try:
            return cls(
                processor=str(document["processor"]),
                coefficients=CpuCoefficients.from_dict(document["coefficients"]),
                rows=int(document["rows"]),
                residual_sd=float(document["residual_sd"]),
                provenance=document.get("provenance", {}),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            _FILE.refuse(path, error)


def profile_path(gpu: Gpu) -> Path:
    """Where the profile of a processor with its number of threads lies."""
    return user_data_dir() / "cpu" / f"{slug(gpu)}.json"


def profile_of(gpu: Gpu) -> CpuProfile:
    """Return the measured profile of a processor, or typical figures (``rows`` 0) where there is none."""
    path = profile_path(gpu)
    try:
        changed = path.stat().st_mtime_ns
    except OSError:
        return typical_profile(gpu)
    return _load_cached(path, changed)


@lru_cache(maxsize=16)
def _load_cached(path: Path, changed: int) -> CpuProfile:
    return CpuProfile.load(path)


def typical_profile(gpu: Gpu) -> CpuProfile:
    """Coefficients that follow from the vector unit, clock and threads, with typical efficiencies."""
    bandwidth = gpu.bandwidth_gbs * 1e9
    coefficients = CpuCoefficients(
        threads=gpu.sm,
        flops=gpu.peaks_tflops["fp32"] * 1e12,
        lanes=lanes(),
        bandwidth=bandwidth,
        cache_bandwidth=3.0 * bandwidth,
        cache_bytes=gpu.l2_mb * 1e6,
    )
    return CpuProfile(processor=gpu.chip, coefficients=coefficients)


def corrections_of(gpu: Gpu, width: int) -> tuple[npt.NDArray[np.float64], float]:
    """Log factors on operator groups and on launching (none is left: calls are part of the operators), and variance."""
    theta = np.zeros(width)
    theta[-1] = -np.inf
    return theta, profile_of(gpu).variance


def processor_features(ops: Operators, gpu: Gpu, precision: str) -> StepFeatures:
    """Seconds of a step by phase and operator group on a processor, cost of calls included."""
    return collect(ops, cpu_time(ops, profile_of(gpu).coefficients), precision)
