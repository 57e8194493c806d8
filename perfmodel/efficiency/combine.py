"""How device time and host launch time make a step."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def combine(device: Floats, host: Floats) -> Floats:
    """Seconds of a step from its device time and the host time to launch it.

    Launches run ahead of the device, so the larger of the two decides, smoothly: ``(d^4 + h^4)^(1/4)``.
    """
    result: Floats = np.sqrt(np.sqrt(np.square(np.square(device)) + np.square(np.square(host))))
    return result
