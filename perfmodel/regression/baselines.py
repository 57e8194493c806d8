"""What a regression has to beat on left-out rows: a constant, and one variable in a log-log line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from perfmodel.regression.design import Floats

CONSTANT = "constant"
#: Variables tried beside those of the formula: what a card is sold by, and how much there is to do.
COMMON = ("cores", "flops", "bandwidth", "blocks", "batch", "gflop_step")

Mask = npt.NDArray[np.bool_]


def features(frame: Any, names: Sequence[str], response: str) -> dict[str, Floats]:
    """Return the logarithms of the variables that a single-variable line can use, by name.

    A variable is used when it is a number above 0 in every row and takes more than one value.
    """
    found: dict[str, Floats] = {}
    for name in dict.fromkeys((*names, *COMMON)):
        if name == response or name not in frame.columns or frame[name].dtype.kind not in "fiu":
            continue
        values = frame[name].to_numpy(dtype=np.float64)
        if np.isfinite(values).all() and (values > 0).all() and np.ptp(values) > 0:
            found[name] = np.log(values)
    return found


def predict(measured: Floats, weights: Floats, feature: Floats | None, train: Mask, test: Mask) -> Floats:
    """Predict some rows from others by a constant (the geometric mean) or a line in log-log coordinates.

    Parameters
    ----------
    measured, weights : array (n,)
    feature : array (n,) or None
        Logarithm of the variable; None for the constant.
    train, test : bool array (n,)

    Returns
    -------
    array
        Predictions of the rows to test; the constant where the training rows have one value of the variable.
    """
    logs, share = np.log(measured[train]), weights[train] / weights[train].sum()
    mean = float(share @ logs)
    if feature is None:
        return np.full(int(test.sum()), np.exp(mean))
    centre = float(share @ feature[train])
    apart = feature[train] - centre
    spread = float(share @ apart**2)
    slope = float(share @ (apart * (logs - mean))) / spread if spread > 1e-18 else 0.0
    result: Floats = np.exp(mean + slope * (feature[test] - centre))
    return result
