"""Fit the efficiency effects to whole measured steps (maximum a posteriori, Gauss-Newton, robust weights).

``log t = log combine(sum_g exp(theta_g) X_g, launches exp(theta_launch)) + total``: every theta and the total are sums
of effects (engine, stack, card, network, campaign, ...) that are shrunk towards zero with the standard deviations of
`perfmodel.efficiency.levels`; levels that a fit has not seen have no effect in prediction.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from perfmodel.efficiency.combine import combine
from perfmodel.efficiency.levels import COVARIATE_SD, GROUP_FACTORS, TOTAL_FACTORS, WIDTH, covariate_masks

Floats = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]

#: Factors whose levels are parts of another factor's levels.
_REFINES = {
    "gpu_engine": "gpu",
    "model_mode": "model",
    "family_engine": "family",
    "campaign_model": "model",
    "campaign_model_engine": "campaign_model",
}
_HUBER = 0.20
_NOISE = 0.10
_CELL_ROWS = 40.0


@dataclass(frozen=True, kw_only=True)
class StepRows:
    """Measured steps with their physical features.

    Attributes
    ----------
    seconds : array (r, G)
        Physical device seconds inside the timed region, by operator group.
    host : array (r,)
        Host launch seconds inside the timed region at the base rate.
    extra : array (r,)
        Seconds that add to the step whatever its efficiency (blocking copies).
    time_s : array (r,)
        Measured seconds of a step.
    covariates : array (r, C)
    group_levels, total_levels : dict of str to array of str
        Level of each factor; empty means none.
    cell : array of str
        ``source|gpu|phase``.
    """

    seconds: Floats
    host: Floats
    extra: Floats
    time_s: Floats
    covariates: Floats
    group_levels: dict[str, npt.NDArray[np.str_]]
    total_levels: dict[str, npt.NDArray[np.str_]]
    cell: npt.NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.time_s)

    def select(self, index: npt.NDArray[np.generic]) -> StepRows:
        """Some of the rows."""
        plain = {
            name: getattr(self, name)[index] for name in ("seconds", "host", "extra", "time_s", "covariates", "cell")
        }
        groups = {name: levels[index] for name, levels in self.group_levels.items()}
        totals = {name: levels[index] for name, levels in self.total_levels.items()}
        return StepRows(**plain, group_levels=groups, total_levels=totals)


@dataclass(frozen=True, kw_only=True)
class StepFit:
    """Effects: ``group[factor][level]`` has shape (WIDTH,), ``total[factor][level]`` is a number."""

    covariate: Floats
    group: dict[str, dict[str, Floats]]
    total: dict[str, dict[str, float]]
    rows: int = 0

    def without_total(self, *names: str) -> StepFit:
        """The same fit without some whole-step effects."""
        return replace(self, total={name: ({} if name in names else levels) for name, levels in self.total.items()})


def _layout(rows: StepRows) -> tuple[list[tuple[str, str, int, list[str]]], int]:
    blocks: list[tuple[str, str, int, list[str]]] = []
    at = 2 * rows.covariates.shape[1]
    for kind, factors, width in (("group", rows.group_levels, WIDTH), ("total", rows.total_levels, 1)):
        for name, levels in factors.items():
            known = _identifiable(name, levels, factors)
            blocks.append((kind, name, at, [str(level) for level in known]))
            at += len(known) * width
    return blocks, at


def _identifiable(name: str, levels: npt.NDArray[np.str_], factors: dict[str, npt.NDArray[np.str_]]) -> list[str]:
    """Levels that do not merely repeat a level of the factor they refine: those would only split its effect in two."""
    parent = _REFINES.get(name)
    known, index, count = np.unique(levels, return_index=True, return_counts=True)
    keep = known != ""
    if parent is not None:
        _, above, above_count = np.unique(factors[parent], return_inverse=True, return_counts=True)
        keep &= count < above_count[above[index]]
    return [str(level) for level in known[keep]]


def effects(rows: StepRows, fit: StepFit) -> tuple[Floats, Floats]:
    """Summed log effects of each row: groups and launch (r, WIDTH), and the whole step (r,)."""
    double = np.concatenate([rows.covariates, rows.covariates], axis=1)
    theta = (double * fit.covariate) @ covariate_masks().astype(float)
    for name, levels in rows.group_levels.items():
        table = fit.group.get(name, {})
        known, inverse = np.unique(levels, return_inverse=True)
        values = np.array([table.get(str(level), np.zeros(WIDTH)) for level in known])
        theta = theta + values[inverse]
    total = np.zeros(len(rows))
    for name, levels in rows.total_levels.items():
        numbers = fit.total.get(name, {})
        known, inverse = np.unique(levels, return_inverse=True)
        total += np.array([numbers.get(str(level), 0.0) for level in known])[inverse]
    return theta, total


def predict_steps(rows: StepRows, fit: StepFit) -> Floats:
    """Seconds of each row's step."""
    theta, total = effects(rows, fit)
    device = (rows.seconds * np.exp(theta[:, :-1])).sum(axis=1)
    host = rows.host * np.exp(theta[:, -1])
    result: Floats = combine(device, host) * np.exp(total) + rows.extra
    return result


def fit_steps(
    rows: StepRows, *, start: StepFit | None = None, iterations: int = 6, group_sd: dict[str, float] | None = None,
    total_sd: dict[str, float] | None = None,
) -> StepFit:  # fmt: skip
    """Maximum a posteriori effects of some measured steps.

    Parameters
    ----------
    rows : StepRows
        What to fit on.
    start : StepFit, optional
        First guess, such as the fit of more rows.
    iterations : int
        Gauss-Newton steps.
    group_sd, total_sd : dict, optional
        Prior standard deviations instead of the defaults.
    """
    problem = _Problem(rows, {**GROUP_FACTORS, **(group_sd or {})}, {**TOTAL_FACTORS, **(total_sd or {})})
    beta = np.zeros(problem.size) if start is None else problem.guess(start)
    cost = problem.cost(beta)
    for _ in range(iterations):
        step = problem.step(beta)
        scale = 1.0
        while scale > 1e-3 and (trial := problem.cost(beta + scale * step)) > cost:
            scale *= 0.5
        if scale <= 1e-3:
            break
        beta, previous, cost = beta + scale * step, cost, trial
        if previous - cost < 1e-4 * previous:
            break
    return problem.fit(beta)


class _Problem:
    def __init__(self, rows: StepRows, group_sd: dict[str, float], total_sd: dict[str, float]) -> None:
        self.rows = rows
        self.blocks, self.size = _layout(rows)
        self.masks = covariate_masks().astype(float)
        prior = [np.full(2 * rows.covariates.shape[1], COVARIATE_SD)]
        for kind, name, _, levels in self.blocks:
            sd, width = (group_sd[name], WIDTH) if kind == "group" else (total_sd[name], 1)
            prior.append(np.full(len(levels) * width, sd))
        self.precision = 1.0 / np.concatenate(prior) ** 2
        _, inverse, count = np.unique(rows.cell, return_inverse=True, return_counts=True)
        self.weight = np.minimum(1.0, np.sqrt(_CELL_ROWS / count[inverse])) / _NOISE**2
        self.index = {
            (kind, name): _level_index(rows.group_levels[name] if kind == "group" else rows.total_levels[name], levels)
            for kind, name, _, levels in self.blocks
        }
        self.log_time = np.log(rows.time_s)

    def fit(self, beta: Floats) -> StepFit:
        group: dict[str, dict[str, Floats]] = {}
        total: dict[str, dict[str, float]] = {}
        for kind, name, at, levels in self.blocks:
            if kind == "group":
                table = beta[at : at + len(levels) * WIDTH].reshape(len(levels), WIDTH)
                group[name] = dict(zip(levels, table, strict=True))
            else:
                total[name] = dict(zip(levels, beta[at : at + len(levels)].tolist(), strict=True))
        return StepFit(covariate=beta[: len(self.masks)], group=group, total=total, rows=len(self.rows))

    def guess(self, start: StepFit) -> Floats:
        """Parameters of another fit, as far as it has them."""
        beta = np.zeros(self.size)
        beta[: len(self.masks)] = start.covariate
        for kind, name, at, levels in self.blocks:
            for number, level in enumerate(levels):
                if kind == "group" and level in start.group.get(name, {}):
                    beta[at + number * WIDTH : at + (number + 1) * WIDTH] = start.group[name][level]
                elif kind == "total":
                    beta[at + number] = start.total.get(name, {}).get(level, 0.0)
        return beta

    def _residual(self, beta: Floats) -> Floats:
        result: Floats = self.log_time - np.log(predict_steps(self.rows, self.fit(beta)))
        return result

    def cost(self, beta: Floats) -> float:
        size = np.abs(self._residual(beta))
        huber = np.where(size < _HUBER, 0.5 * size**2, _HUBER * (size - 0.5 * _HUBER))
        return float(np.sum(self.weight * huber) + 0.5 * np.sum(self.precision * beta**2))

    def step(self, beta: Floats) -> Floats:
        from scipy import linalg, sparse

        fit, rows = self.fit(beta), self.rows
        theta, total = effects(rows, fit)
        parts = np.column_stack([rows.seconds * np.exp(theta[:, :-1]), rows.host * np.exp(theta[:, -1])])
        device, host = parts[:, :-1].sum(axis=1), parts[:, -1]
        whole = combine(device, host)
        power = (device / whole) ** 4
        share = np.column_stack([parts[:, :-1] / device[:, None] * power[:, None], 1.0 - power])
        scale = whole * np.exp(total) / (whole * np.exp(total) + rows.extra)
        share *= scale[:, None]
        jac = sparse.csr_matrix(self._jacobian(share, scale))
        residual = self.log_time - np.log(whole * np.exp(total) + rows.extra)
        weight = self.weight * np.minimum(1.0, _HUBER / np.maximum(np.abs(residual), 1e-12))
        weighted = sparse.diags(weight) @ jac
        normal = (jac.T @ weighted).toarray()
        normal[np.diag_indices_from(normal)] += self.precision
        gradient = weighted.T @ residual - self.precision * beta
        solution: Floats = linalg.solve(normal, gradient, assume_a="pos", overwrite_a=True, check_finite=False)
        return np.clip(solution, -0.5, 0.5)

    def _jacobian(self, share: Floats, scale: Floats) -> Any:
        from scipy import sparse

        rows = self.rows
        double = np.concatenate([rows.covariates, rows.covariates], axis=1)
        row_ids, col_ids, values = [], [], []
        everyone = np.arange(len(rows))
        covariate = double * (share @ self.masks.T)
        for j in range(covariate.shape[1]):
            row_ids.append(everyone)
            col_ids.append(np.full(len(rows), j))
            values.append(covariate[:, j])
        for kind, name, at, _ in self.blocks:
            index = self.index[kind, name]
            have = np.flatnonzero(index >= 0)
            if kind == "group":
                row_ids.append(np.repeat(have, WIDTH))
                col_ids.append((at + index[have, None] * WIDTH + np.arange(WIDTH)).ravel())
                values.append(share[have].ravel())
            else:
                row_ids.append(have)
                col_ids.append(at + index[have])
                values.append(scale[have])
        coo = (np.concatenate(values), (np.concatenate(row_ids), np.concatenate(col_ids)))
        return sparse.coo_matrix(coo, shape=(len(rows), self.size))


def _level_index(levels: npt.NDArray[np.str_], known: list[str]) -> Index:
    if not known:
        return np.full(len(levels), -1, dtype=np.intp)
    order = np.array(known)
    at = np.minimum(np.searchsorted(order, levels), len(order) - 1)
    return np.where(order[at] == levels, at, -1).astype(np.intp)
