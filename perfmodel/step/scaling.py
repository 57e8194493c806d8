"""One question asked again with a setting that grows: batch, blocks, cards or loader workers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from perfmodel.efficiency.prior import Prior, shipped_prior
from perfmodel.errors import InputError
from perfmodel.step.predict import answer
from perfmodel.step.prediction import SCHEMA_VERSION, Prediction
from perfmodel.step.request import Request

ALONG = ("batch", "blocks", "gpus", "workers")


def scaling(prediction: Prediction, along: str = "batch", *, prior: Prior | None = None) -> dict[str, Any]:
    """Answer a prediction's question at other values of one setting.

    Parameters
    ----------
    prediction : Prediction
    along : str
        One of `ALONG`.
    prior : Prior, optional
        The one that answered; the shipped one by default.

    Returns
    -------
    dict
        A document like that of ``compare --json``: ``rows`` with ``gpu, precision, batch, blocks, gpus, workers,
        step_ms, low_ms, high_ms, samples_per_s, memory_gb, fits, evidence``. Batches are powers of two and the asked
        one, up to the first that does not fit.

    Raises
    ------
    InputError
        When the network or the request has no such setting.
    """
    ask, chosen = prediction.request, prior or shipped_prior()
    changes: list[dict[str, Any]] = [{along: value} for value in _values(prediction, along)]
    answers = [answer(replace(ask, **change), chosen) for change in changes]
    return {
        "schema_version": SCHEMA_VERSION,
        "along": along,
        "workload": {
            "model": ask.model, "family": ask.graph.family, "mode": ask.mode, "size": ask.size,
            "size_name": ask.graph.size_name, "accumulate": ask.accumulate, "dataset_size": ask.dataset_size,
        },
        "gpus": ask.gpus,
        "host": {"key": ask.host.key, "cores": ask.host.cores},
        "coverage": ask.coverage,
        "rows": [_row(one) for one in answers],
    }  # fmt: skip


def _values(prediction: Prediction, along: str) -> list[int]:
    """Values of the setting, ascending, the asked one among them."""
    ask = prediction.request
    if along not in ALONG:
        raise InputError(f"cannot scale along {along!r}", f"give {', '.join(ALONG)}")
    if along == "batch":
        if ask.graph.fixed_batch is not None:
            raise InputError(f"{ask.model} runs at batch {ask.graph.fixed_batch} only", "scale along another setting")
        most = max(prediction.largest_batch, ask.batch)
        powers = [2**power for power in range(most.bit_length() + 1)]
        return sorted({*(one for one in powers if one <= 2 * most), ask.batch})
    if along == "gpus":
        return sorted({1, 2, 4, 8, 16, 32, ask.gpus})
    if along == "blocks":
        if ask.blocks is None:
            raise InputError(f"{ask.model} has no block count", "scale along another setting")
        return sorted({1, 2, 3, 4, 6, 9, 12, 15, 18, ask.blocks})
    _check_loader(ask)
    return sorted({0, 1, 2, 3, 4, 6, 8, 12, 16, ask.workers})


def _check_loader(ask: Request) -> None:
    if ask.loader is None:
        raise InputError("without a loader there are no workers", "leave out --loader none")


def _row(one: Prediction) -> dict[str, Any]:
    ask = one.request
    row: dict[str, Any] = {
        "gpu": ask.gpu.key, "precision": ask.precision, "batch": ask.batch, "blocks": ask.blocks, "gpus": ask.gpus,
        "workers": ask.workers, "step_ms": 1e3 * one.step_s.median, "low_ms": 1e3 * one.step_s.low,
        "high_ms": 1e3 * one.step_s.high, "samples_per_s": one.samples_per_s,
        "memory_gb": one.memory_bytes["peak"] / 1e9, "fits": one.fits, "evidence": one.evidence.grade,
    }  # fmt: skip
    if ask.blocks is None:
        del row["blocks"]
    return row
