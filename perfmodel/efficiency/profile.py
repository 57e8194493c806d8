"""What is known of one card beyond its specification: a Gaussian posterior that every measurement updates.

The state is the log error of some terms: arithmetic, memory, batched products, launch, the whole step, and what of
these differs by mode and by engine (fp32, or tensor cores and 16 bit). The specification sheet is the prior (mean zero,
the spread seen between cards); an observation of a step or kernel that spends the shares ``a`` of its time in the terms
moves it by the Kalman update for ``y = a . x + noise``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from perfmodel.efficiency.features import GROUPS
from perfmodel.efficiency.levels import Setting
from perfmodel.efficiency.prior import Corrections
from perfmodel.errors import FailureError, InputError
from perfmodel.hardware.storage import user_data_dir

Floats = npt.NDArray[np.float64]

SCHEMA_VERSION = 2
#: Terms with their prior standard deviations (log): those of largest marginal likelihood on the steps of left-out
#: cards, rounded (`perfmodel.calibration.after_calibration` scores them).
_TERM_SD = {
    "arithmetic": 0.15, "memory": 0.22, "batched": 0.30, "launch": 0.25, "step": 0.04, "training": 0.05,
    "inference": 0.05, "wide": 0.06, "tensor": 0.06, "tensor arithmetic": 0.07, "tensor launch": 0.20,
}  # fmt: skip
TERMS = tuple(_TERM_SD)
TERM_SD = np.array(list(_TERM_SD.values()))
#: Standard deviation of one step that is not a term's fault (log): networks differ.
OBSERVATION_SD = 0.09
#: Shares of an average step in arithmetic, memory, batched products and launch: what a profile's certainty is told by.
_AVERAGE = (0.55, 0.35, 0.03, 0.07)
#: A term whose standard deviation shrank below this share of the prior's was told something.
_TOLD = 0.95
_TERM_OF_GROUP = {
    "conv": 0, "conv_backward": 0, "gemm": 0, "gemm_backward": 0, "batched": 2,
    "depthwise": 1, "norm": 1, "elementwise": 1, "optimizer": 1,
}  # fmt: skip
_FIELDS = {"schema_version", "gpu", "terms", "mean", "covariance", "observations"}
_GROUP_TERM = np.array([_TERM_OF_GROUP[name] for name in GROUPS])


@dataclass(frozen=True, kw_only=True)
class Observation:
    """One measurement beside its prediction.

    Attributes
    ----------
    measured_s, predicted_s : float
        Seconds; the prediction is the prior's, without a profile.
    shares : array (t,)
        How much of the log error of the predicted time each of `TERMS` makes; see `term_shares`.
    weight : int
        Repeats that the measured value is a median of (informational).
    sd : float
        Standard deviation of its log that is not the terms' fault.
    """

    measured_s: float
    predicted_s: float
    shares: Floats
    weight: int = 1
    sd: float = OBSERVATION_SD


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Posterior of one card.

    Attributes
    ----------
    gpu : str
        Key of the card.
    mean : array (t,)
        Log factor on the time of each of `TERMS`.
    covariance : array (t, t)
    observations : int
        Measurements it rests on.
    provenance : dict
        Driver, clocks, stack, date, source of the measurements.
    """

    gpu: str
    mean: Floats = field(default_factory=lambda: np.zeros(len(TERMS)))
    covariance: Floats = field(default_factory=lambda: np.diag(TERM_SD**2))
    observations: int = 0
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def update(self, observations: Iterable[Observation]) -> Profile:
        """Return the posterior after some measurements.

        Raises
        ------
        InputError
            When a time is not positive and finite.
        """
        mean, covariance, count = self.mean.copy(), self.covariance.copy(), self.observations
        for one in observations:
            if not (0 < one.measured_s < np.inf and 0 < one.predicted_s < np.inf):
                raise InputError(
                    f"an observed time of {one.measured_s} s cannot update a profile", "times are positive"
                )
            a = np.asarray(one.shares, dtype=np.float64)
            residual = np.log(one.measured_s / one.predicted_s) - a @ mean
            gain = covariance @ a / (a @ covariance @ a + one.sd**2)
            mean = mean + gain * residual
            covariance = covariance - np.outer(gain, a @ covariance)
            covariance = 0.5 * (covariance + covariance.T)
            count += 1
        return replace(self, mean=mean, covariance=covariance, observations=count)

    def merge(self, other: Profile) -> Profile:
        """Combine two independent profiles of one card: precisions add, the shared prior counts once.

        Raises
        ------
        InputError
            When they describe different cards.
        """
        if other.gpu != self.gpu:
            raise InputError(f"profiles of {self.gpu} and {other.gpu} cannot be merged", "merge profiles of one card")
        prior = np.diag(1.0 / TERM_SD**2)
        mine, theirs = np.linalg.inv(self.covariance), np.linalg.inv(other.covariance)
        covariance: Floats = np.asarray(np.linalg.inv(mine + theirs - prior), dtype=np.float64)
        mean = covariance @ (mine @ self.mean + theirs @ other.mean)
        return replace(
            self,
            mean=mean,
            covariance=covariance,
            observations=self.observations + other.observations,
            provenance={**self.provenance, "merged": dict(other.provenance)},
        )

    def apply(self, corrections: Corrections, setting: Setting) -> Corrections:
        """Correct the effects of a run on this card, and shrink its variance by what is now known."""
        engine = _engine(setting.precision)
        theta = corrections.theta.copy()
        theta[:-1] += self.mean @ _by_group(engine)
        theta[-1] += float(self.mean @ _launch_terms(engine))
        step = np.zeros(len(TERMS)) if setting.operators else _step_terms(setting.mode, engine)
        average = step + _average_terms(engine)
        left = float(average @ self.covariance @ average) / float(np.sum((average * TERM_SD) ** 2))
        variance = corrections.variance - (1.0 - min(left, 1.0)) * corrections.card
        return replace(corrections, theta=theta, total=corrections.total + float(self.mean @ step), variance=variance)

    def told(self) -> dict[str, tuple[float, float]]:
        """Log factor and standard deviation of the terms that measurements told something of."""
        deviation = np.sqrt(np.diag(self.covariance))
        return {
            name: (float(mean), float(sd))
            for name, mean, sd, before in zip(TERMS, self.mean, deviation, TERM_SD, strict=True)
            if sd < _TOLD * before
        }

    def to_dict(self) -> dict[str, Any]:
        """JSON document."""
        return {
            "schema_version": SCHEMA_VERSION,
            "gpu": self.gpu,
            "terms": list(TERMS),
            "mean": self.mean.tolist(),
            "covariance": self.covariance.tolist(),
            "observations": self.observations,
            "provenance": {"date": time.strftime("%Y-%m-%d"), **self.provenance},
        }

    def save(self, path: Path) -> None:
        """Write the profile as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.to_dict(), indent=1, sort_keys=True) + "\n")

    @classmethod
    def load(cls, path: Path) -> Profile:
        """Read a profile.

        Raises
        ------
        InputError
            When the file is missing or no profile.
        FailureError
            When its schema is another version's.
        """
        try:
            document = json.loads(path.read_text())
        except FileNotFoundError:
            raise InputError(f"no profile {path}", "give a file that a calibration wrote") from None
        except (OSError, UnicodeDecodeError, json.JSONDecodeError):
            raise InputError(f"{path} is not a profile", "give a JSON file that a calibration wrote") from None
        if not isinstance(document, dict) or not document.keys() >= _FIELDS:
            raise InputError(f"{path} is not a profile", "give a JSON file that a calibration wrote")
        if document.get("schema_version") != SCHEMA_VERSION or document.get("terms") != list(TERMS):
            raise FailureError(f"{path} has another schema version", "calibrate again with this version")
        try:
            mean = np.array(document["mean"], dtype=np.float64)
            covariance = np.array(document["covariance"], dtype=np.float64)
            observations = int(document["observations"])
        except (TypeError, ValueError):
            raise InputError(f"{path} holds no numbers where a profile does", "calibrate again") from None
        if mean.shape != (len(TERMS),) or covariance.shape != (len(TERMS), len(TERMS)):
            raise InputError(f"{path} has the wrong number of terms", "calibrate again")
        provenance = document.get("provenance", {})
        return cls(
            gpu=str(document["gpu"]), mean=mean, covariance=covariance, observations=observations, provenance=provenance
        )


def load_profile(name: str | Path) -> Profile:
    """Read a profile by its path, or by its name in the user's data directory (``profiles/NAME.json``).

    Raises
    ------
    InputError
        When there is none, or the file is no profile.
    """
    path = Path(name)
    if path.suffix != ".json" and not path.exists():
        path = user_data_dir() / "profiles" / f"{name}.json"
    return Profile.load(path)


def _engine(precision: str) -> str:
    """``wide`` for fp32, ``tensor`` for everything that runs, in part at least, in lower precision."""
    return "wide" if precision == "fp32" else "tensor"


def _one(*names: str) -> Floats:
    """1 at the named terms."""
    return np.array([float(name in names) for name in TERMS])


def _by_group(engine: str) -> Floats:
    """Which terms act on each operator group, shape (t, G)."""
    matrix = np.zeros((len(TERMS), len(GROUPS)))
    matrix[_GROUP_TERM, np.arange(len(GROUPS))] = 1.0
    if engine == "tensor":
        matrix[TERMS.index("tensor arithmetic"), _GROUP_TERM == 0] = 1.0
    return matrix


def _launch_terms(engine: str) -> Floats:
    return _one("launch", *(["tensor launch"] if engine == "tensor" else []))


def _step_terms(mode: str, engine: str) -> Floats:
    return _one("step", "training" if mode == "train" else "inference", engine)


def _average_terms(engine: str) -> Floats:
    arithmetic, memory, batched, launch = _AVERAGE
    result = _launch_terms(engine) * launch + memory * _one("memory") + batched * _one("batched")
    return result + arithmetic * _one("arithmetic", *(["tensor arithmetic"] if engine == "tensor" else []))


def term_shares(
    group_seconds: Floats, host_s: float, *, whole_step: bool, mode: str = "train", precision: str = "fp32",
    scale: float = 1.0,
) -> Floats:  # fmt: skip
    """How much of the log error of a predicted time each of `TERMS` makes: the derivatives of its logarithm.

    Parameters
    ----------
    group_seconds : array (G,)
        Device seconds by operator group.
    host_s : float
        Host seconds to launch them; they overlap as `combine` says.
    whole_step : bool
        Whether the measurement is a step: its terms then have share ``scale``.
    mode, precision : str
        Of the step or kernel.
    scale : float
        Share of the measured time that the terms act on; the rest (a blocking copy) is known.
    """
    engine = _engine(precision)
    device = max(float(group_seconds.sum()), 1e-30)
    busy = device**4 / (device**4 + host_s**4)
    shares = _by_group(engine) @ (group_seconds / device * busy) + (1.0 - busy) * _launch_terms(engine)
    return scale * (shares + (_step_terms(mode, engine) if whole_step else 0.0))
