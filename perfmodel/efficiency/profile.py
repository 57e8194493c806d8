"""What is known of one card beyond its specification: a Gaussian posterior that every measurement updates.

The state is the log error of five terms (arithmetic, memory, batched products, launch, whole step). The specification
sheet is the prior (mean zero, the spread seen between cards); an observation of a step or kernel that spends the shares
``a`` of its time in the terms moves it by the Kalman update for ``y = a . x + noise``.
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
from perfmodel.efficiency.levels import TOTAL_FACTORS, Setting
from perfmodel.efficiency.prior import Corrections
from perfmodel.errors import FailureError, InputError
from perfmodel.hardware.storage import user_data_dir

Floats = npt.NDArray[np.float64]

SCHEMA_VERSION = 1
TERMS = ("arithmetic", "memory", "batched", "launch", "step")
#: Prior standard deviations of the terms (log), the spread of card effects in the shipped fit.
TERM_SD = np.array([0.15, 0.12, 0.15, 0.35, 0.08])
#: Standard deviation of one observation that is not the term's fault (log).
OBSERVATION_SD = 0.05
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
    shares : array (5,)
        Share of the predicted time in each of `TERMS`; the last is 1 for whole steps, 0 for kernels.
    weight : int
        Repeats that the measured value is a median of (informational).
    """

    measured_s: float
    predicted_s: float
    shares: Floats
    weight: int = 1


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Posterior of one card.

    Attributes
    ----------
    gpu : str
        Key of the card.
    mean : array (5,)
        Log factor on the time of each of `TERMS`.
    covariance : array (5, 5)
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
            gain = covariance @ a / (a @ covariance @ a + OBSERVATION_SD**2)
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
        del setting
        theta = corrections.theta.copy()
        theta[:-1] += self.mean[_GROUP_TERM]
        theta[-1] += self.mean[3]
        known = TOTAL_FACTORS["gpu"] ** 2 + TOTAL_FACTORS["gpu_engine"] ** 2 + TOTAL_FACTORS["arch_engine"] ** 2
        known = known * (1.0 - float(np.trace(self.covariance)) / float(np.sum(TERM_SD**2)))
        variance = max(corrections.variance - known, 0.25 * corrections.variance)
        return replace(corrections, theta=theta, total=corrections.total + float(self.mean[4]), variance=variance)

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


def term_shares(group_seconds: Floats, launch_s: float, *, whole_step: bool) -> Floats:
    """Shares of a predicted time in each of `TERMS`.

    Parameters
    ----------
    group_seconds : array (G,)
        Seconds by operator group.
    launch_s : float
        What launching adds.
    whole_step : bool
        Whether the measurement is a step (the step term then has share 1).
    """
    shares = np.zeros(len(TERMS))
    np.add.at(shares, _GROUP_TERM, group_seconds)
    shares[3] = launch_s
    shares /= max(float(shares.sum()), 1e-30)
    shares[4] = 1.0 if whole_step else 0.0
    return shares
