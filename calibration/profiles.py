"""Profile of a card from measured kernels and steps: sessions, or tables of runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from perfmodel.calibration.fit_kernels import device_time
from perfmodel.calibration.kernel_rows import KernelRows
from perfmodel.calibration.session_rows import session_kernels, session_runs
from perfmodel.calibration.sessions import MeasuredSession, read_session
from perfmodel.efficiency.features import GROUP_CODE, GROUPS
from perfmodel.efficiency.levels import card_offsets
from perfmodel.efficiency.prior import Prior, shipped_prior
from perfmodel.efficiency.profile import Observation, Profile, term_shares
from perfmodel.errors import InputError
from perfmodel.hardware.gpu import find_gpu
from perfmodel.validation.observations import profile_of_runs, step_observations
from perfmodel.validation.resolve import resolve_rows

Floats = npt.NDArray[np.float64]

#: Standard deviation of the log error of single kernels (docs/accuracy.md), and how many kernels of one class count as
#: independent: their errors go together.
KERNEL_SD, KERNELS_OF_A_CLASS = 0.30, 20
_GROUP = {
    "linear": "gemm", "bmm": "batched", "conv": "conv", "conv_dgrad": "conv_backward", "conv_wgrad": "conv_backward",
    "norm": "norm", "softmax": "elementwise", "elementwise": "elementwise",
}  # fmt: skip


def kernel_groups(rows: KernelRows) -> list[str]:
    """Operator group of each row."""
    return ["depthwise" if deep else _GROUP[str(cls)] for cls, deep in zip(rows.cls, rows.ops.depthwise, strict=True)]


def kernel_observations(rows: KernelRows, prior: Prior, floor: Floats | float = 0.0) -> list[Observation]:
    """Compare measured kernels of one card with what the prior's physical model says of them.

    Parameters
    ----------
    rows : KernelRows
    prior : Prior
    floor : float or array (n,)
        Seconds that measuring adds to each kernel.
    """
    groups = kernel_groups(rows)
    offsets = card_offsets(*prior.cards.get(str(rows.gpu[0]), (0.0, 0.0))) if len(rows) else np.zeros(len(GROUPS))
    codes = np.array([GROUP_CODE[name] for name in groups], dtype=np.intp)
    device = device_time(rows, prior.kernel) * np.exp(offsets[codes])
    predicted = device + floor
    alike = Counter(zip(groups, rows.precision.tolist(), strict=True))
    observations = []
    for at, (group, precision) in enumerate(zip(groups, rows.precision.tolist(), strict=True)):
        shares = term_shares(
            np.eye(len(GROUPS))[codes[at]], 0.0, whole_step=False, precision=precision,
            scale=float(device[at] / predicted[at]),
        )  # fmt: skip
        sd = KERNEL_SD * max(1.0, alike[group, precision] / KERNELS_OF_A_CLASS) ** 0.5
        observations.append(Observation(
            measured_s=float(rows.time_s[at]), predicted_s=float(predicted[at]), shares=shares, sd=sd
        ))  # fmt: skip
    return observations


def profile_of_session(session: MeasuredSession, *, prior: Prior | None = None) -> tuple[Profile, Counter[str]]:
    """Profile of a session's card: its kernels, then its steps.

    Returns
    -------
    profile : Profile
    passed_over : Counter
        Rows that say nothing of the card, by reason.

    Raises
    ------
    InputError
        When the session is of a processor, or holds no row that can be used.
    """
    if session.gpu is None:
        raise InputError(
            f"{session.path} measured a processor", "perfmodel measure --profile makes a processor's profile"
        )
    known = prior or shipped_prior()
    kernels = session_kernels(session)
    questions, reasons = resolve_rows(session_runs(session))
    observed: list[Observation] = [] if kernels is None else kernel_observations(kernels, known)
    observed += step_observations(questions, known) if questions else []
    if not observed:
        raise InputError(f"{session.path} holds no row that can be used", "measure again without --dry-run")
    reasons["kernels that no coefficient describes, or the card lacks"] += len(session.kernels) - (
        0 if kernels is None else len(kernels)
    )
    reasons["cases that could not run"] += session.failed
    note = session.provenance() | {"kernel_rows": (0 if kernels is None else len(kernels)), "step_rows": len(questions)}
    profile = Profile(gpu=session.gpu.key).update(observed)
    return replace(profile, provenance=note), +reasons


def profile_from(path: Path, gpu: str | None = None, *, prior: Prior | None = None) -> tuple[Profile, Counter[str]]:
    """Profile of a card from a session's folder, or from a table of runs with rows of that card.

    Parameters
    ----------
    path : Path
        A folder that ``perfmodel measure --device cuda`` left, or a table that ``perfmodel validate`` reads.
    gpu : str, optional
        The card; may be left out where the rows are of one card only.
    prior : Prior, optional
        Coefficients other than the shipped ones.

    Raises
    ------
    InputError
        When there is nothing there to make a profile of; the message says what is.
    """
    if not path.is_dir():
        return profile_of_runs(path, gpu, prior=prior)
    session = read_session(path)
    if gpu is not None and session.gpu is not None and find_gpu(gpu).key != session.gpu.key:
        raise InputError(f"{path} measured {session.gpu.key}, not {gpu}", f"give --gpu {session.gpu.key}")
    return profile_of_session(session, prior=prior)


def chosen_steps(observations: Sequence[Observation], count: int) -> npt.NDArray[np.intp]:
    """Which steps to measure so that the others become surest, chosen by their predictions alone.

    Greedy: each next step takes away most of the others' summed variance.

    Parameters
    ----------
    observations : sequence of Observation
        All candidates; their measured times are not looked at.
    count : int
        How many to choose.
    """
    shares = np.array([one.shares for one in observations])
    noise = np.array([one.sd for one in observations]) ** 2
    covariance = Profile(gpu="").covariance
    chosen: list[int] = []
    for _ in range(min(count, len(observations))):
        toward = shares @ covariance
        own = np.einsum("ij,ij->i", toward, shares) + noise
        gain = np.sum((toward @ shares.T) ** 2, axis=1) / own
        gain[chosen] = -1.0
        best = int(np.argmax(gain))
        covariance = covariance - np.outer(toward[best], toward[best]) / own[best]
        chosen.append(best)
    return np.array(chosen, dtype=np.intp)
