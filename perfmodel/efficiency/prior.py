"""The shipped prior: coefficients learned from measurements, with how much they rest on."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from perfmodel.efficiency.levels import (
    CARD_FACTORS,
    DISTINCT,
    SPREAD,
    WIDTH,
    Setting,
    card_offsets,
    covariate_masks,
    covariates,
    group_levels,
    total_levels,
)
from perfmodel.errors import FailureError
from perfmodel.hardware.gpu import Gpu
from perfmodel.hardware.spec import CPU_ARCH
from perfmodel.roofline.coefficients import KernelCoefficients

Floats = npt.NDArray[np.float64]

SCHEMA_VERSION = 2
#: What a prediction without a campaign does not know either: the harness and its stack.
_HARNESS = ("campaign_mode", "stack_mode", "campaign_cards")
_OF_THE_CARD = np.array([name in CARD_FACTORS for name in SPREAD])
PRIOR_FILE = Path(__file__).with_name("data") / "prior.json.gz"


@dataclass(frozen=True, kw_only=True)
class Corrections:
    """Learned corrections of one run.

    Attributes
    ----------
    theta : array (WIDTH,)
        Log factor on each operator group's physical time, and on launch (last).
    total : float
        Log factor on the step.
    variance : float
        Variance of the log error before conformal scaling.
    card : float
        The part of it that is the card's and its host's: what measurements of this very card take away.
    """

    theta: Floats
    total: float
    variance: float
    card: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Prior:
    """Everything a prediction takes from measurements.

    Attributes
    ----------
    kernel : KernelCoefficients
        Physical coefficients.
    launch_s : array (4,)
        Host seconds to launch one operator of each graph phase.
    covariate : array (2C,)
        Effect of card covariates on arithmetic and memory groups.
    group, total : dict
        Effects by factor and level.
    counts : dict
        Rows behind each level of each factor.
    conformal : dict of str to float
        Factor that turns the standard deviation into a half-width, by coverage ("0.9").
    support : dict of str to int
        Measured rows by ``arch|engine|kind``.
    cards : dict of str to (float, float)
        Log factors on products and memory traffic of cards whose single kernels were measured.
    baselines : dict
        Frozen coefficients of the simple models that scores are printed beside.
    provenance : dict
        Sources, date, command.
    spread : dict of str to float
        Variance of log time by source (`SPREAD`), as the errors of left-out rows tell.
    """

    kernel: KernelCoefficients
    launch_s: Floats
    covariate: Floats
    group: Mapping[str, Mapping[str, Floats]]
    total: Mapping[str, Mapping[str, float]]
    counts: Mapping[str, Mapping[str, int]]
    conformal: Mapping[str, float]
    support: Mapping[str, int]
    cards: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    baselines: Mapping[str, Mapping[str, list[float]]] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    spread: Mapping[str, float] = field(default_factory=lambda: dict(SPREAD))

    def corrections(self, setting: Setting, gpu: Gpu) -> Corrections:
        """Sum the effects that apply to a run on a card; a processor has none but what its own profile leaves open."""
        if gpu.arch == CPU_ARCH:
            from perfmodel.efficiency.cpu import corrections_of

            theta, variance = corrections_of(gpu, WIDTH)
            return Corrections(theta=theta, total=0.0, variance=variance)
        double = np.tile(covariates(gpu, setting), 2) * self.covariate
        theta = double @ covariate_masks() + card_offsets(*self.cards.get(gpu.key, (0.0, 0.0)))
        for name, level in group_levels(setting, gpu.arch).items():
            effect = self.group.get(name, {}).get(level)
            if effect is not None:
                theta = theta + effect
        total = 0.0
        for name, level in total_levels(setting, gpu.key, gpu.arch).items():
            if level:
                total += self.total.get(name, {}).get(level, 0.0)
        parts = self.unknown(setting, gpu) * self._weights
        return Corrections(theta=theta, total=total, variance=float(parts.sum()), card=float(parts[_OF_THE_CARD].sum()))

    def unknown(self, setting: Setting, gpu: Gpu) -> Floats:
        """How little is known of a run, by source of variance (in the order of `SPREAD`): 1 is nothing at all."""
        group = group_levels(setting, gpu.arch)
        total = total_levels(setting, gpu.key, gpu.arch)
        found = [1.0]
        found += [float(bool(level) and level not in self.group.get(name, {})) for name, level in group.items()]
        for name, level in total.items():
            seen = self.counts.get(name, {}).get(level, 0)
            absent = not level and (setting.campaign or name not in _HARNESS)
            found.append(0.0 if absent else 1.0 / (1.0 + 0.5 * seen))
        for name, (factor, _) in DISTINCT.items():
            level = group[factor] if factor in group else total[factor]
            absent = not level and (setting.campaign or name not in _HARNESS)
            found.append(0.0 if absent else 1.0 / (1.0 + self.counts.get(name, {}).get(level, 0)))
        return np.array(found)

    @cached_property
    def _weights(self) -> Floats:
        return np.array([self.spread.get(name, before) for name, before in SPREAD.items()])

    def half_width(self, variance: float | Floats, coverage: float) -> float | Floats:
        """Half-width of the interval of log time at a coverage (0 < coverage < 1).

        Between the coverages that were calibrated it is interpolated; beyond them it grows as a normal quantile.
        """
        known = np.array(sorted(float(key) for key in self.conformal))
        factor = np.array([self.conformal[_key(value)] for value in known])
        scale = np.interp(coverage, np.concatenate([[0.0], known]), np.concatenate([[0.0], factor]))
        if coverage > known[-1]:
            scale = factor[-1] * _normal_quantile(coverage) / _normal_quantile(float(known[-1]))
        result: float | Floats = scale * np.sqrt(variance)
        return result

    def to_dict(self) -> dict[str, Any]:
        """JSON document."""
        return {
            "schema_version": SCHEMA_VERSION,
            "provenance": dict(self.provenance),
            "kernel": self.kernel.to_dict(),
            "launch_s": self.launch_s.tolist(),
            "covariate": _rounded(self.covariate),
            "group": {f: {k: _rounded(v) for k, v in levels.items()} for f, levels in self.group.items()},
            "total": {f: {k: round(v, 5) for k, v in levels.items()} for f, levels in self.total.items()},
            "counts": {f: dict(levels) for f, levels in self.counts.items()},
            "spread": {name: round(value, 6) for name, value in self.spread.items()},
            "conformal": dict(self.conformal),
            "support": dict(self.support),
            "cards": {key: list(value) for key, value in self.cards.items()},
            "baselines": {key: dict(value) for key, value in self.baselines.items()},
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Prior:
        """Read a JSON document."""
        if document.get("schema_version") != SCHEMA_VERSION:
            raise FailureError(
                f"the prior has schema {document.get('schema_version')}, this version reads {SCHEMA_VERSION}",
                "refit it with python -m perfmodel.calibration.fit_prior",
            )
        group = {
            factor: {level: np.array(values) for level, values in levels.items()}
            for factor, levels in document["group"].items()
        }
        return cls(
            kernel=KernelCoefficients.from_dict(document["kernel"]),
            launch_s=np.array(document["launch_s"]),
            covariate=np.array(document["covariate"]),
            group=group,
            total=document["total"],
            counts=document["counts"],
            spread=document["spread"],
            conformal=document["conformal"],
            support=document["support"],
            baselines=document.get("baselines", {}),
            cards={key: (float(a), float(b)) for key, (a, b) in document["cards"].items()},
            provenance=document["provenance"],
        )

    def save(self, path: Path) -> None:
        """Write the document, gzipped with a fixed time stamp so that equal priors are equal files."""
        data = json.dumps(self.to_dict(), separators=(",", ":"), sort_keys=True).encode()
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, filename="") as stream:
            stream.write(data)


def _normal_quantile(coverage: float) -> float:
    """Half-width, in standard deviations, that covers a share of a normal distribution."""
    from statistics import NormalDist

    return NormalDist().inv_cdf(0.5 + 0.5 * coverage)


def _key(value: float) -> str:
    return f"{value:g}"


def _rounded(values: Floats) -> list[float]:
    return [round(float(value), 5) for value in values]


@cache
def shipped_prior() -> Prior:
    """Read the prior that comes with the package."""
    return Prior.from_dict(json.loads(gzip.decompress(PRIOR_FILE.read_bytes())))


assert len(covariate_masks()[0]) == WIDTH
