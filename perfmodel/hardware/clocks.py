"""The clock a card keeps under load, estimated from its power and its clocks.

The boost clock of a data sheet is what the chip may reach; what it keeps is set by the power the board may draw.
Two published figures carry that: the guaranteed base clock, and the watts the board has for each TFLOP/s of its
peak, against what cards of the same process use. The law is

    sustained = boost * (base / boost) ** A * min(1, w / w_ref) ** B * min(1, w / (K w_ref)) ** C

never below the smaller of base and boost / 4,

with w = power / fp32 peak in W per TFLOP/s, per die, and w_ref the median of w over the desktop, workstation and
data-centre cards of the same process in the shipped table. The last factor is what a card that is very short of power
loses within seconds of load, which short kernel measurements do not show. See ``docs/hardware.md`` for the fit and its
error.
"""

from __future__ import annotations

BASE_CLOCK_EXPONENT = 0.12
"""A. Fitted with B and a constant to the 90th percentile of the achieved share of fp32 peak of matrix products (all
sides >= 256, more than 20 GFLOP, NeuSight and DeepBench latencies) of eight pairs of card and source, by least squares
with weight 0.05 on A = 0.15 and B = 0.3. Mean error 3 %, 4.3 % on a card left out (a constant: 5.9 %)."""

POWER_EXPONENT = 0.20
"""B, from the same fit."""

STARVED, STARVED_EXPONENT = 0.75, 0.60
"""K and C. Set by hand, not fitted: a T4 (0.46 of the reference) falls from 1590 to about 960 MHz within seconds of
load (Jia et al. 2019, arXiv:1903.07486), and BERT steps on a P4 (0.59) take about 1.3 times what its short kernels add
up to."""

REFERENCE_W_PER_TFLOP = {
    "28nm": 37.4,
    "16nm": 22.4,
    "12nm": 18.9,
    "7nm": 16.0,
    "8nm": 8.37,
    "4nm-data-centre": 10.5,
    "4nm": 5.47,
}
"""Median watts per fp32 TFLOP/s of the shipped cards of each process (laptop and embedded cards left out)."""

_PROCESS = {"Kepler": "28nm", "Maxwell": "28nm", "Pascal": "16nm", "Volta": "12nm", "Turing": "12nm"}


def process_of(*, arch: str, compute_capability: float) -> str:
    """Return the manufacturing process class of a chip, a key of `REFERENCE_W_PER_TFLOP`.

    Chips with HBM of Hopper and Blackwell spend much of their power on tensor cores and memory, so they are a class
    of their own.
    """
    if arch in _PROCESS:
        return _PROCESS[arch]
    if arch == "Ampere":
        return "7nm" if compute_capability == 8.0 else "8nm"
    return "4nm-data-centre" if 9.0 <= compute_capability < 12.0 else "4nm"


def sustained_mhz(
    *, base_mhz: float, boost_mhz: float, tdp_w: float, fp32_tflops: float, arch: str, compute_capability: float
) -> float:
    """Estimate the clock (MHz) that a card keeps under a long compute-bound load.

    Parameters
    ----------
    base_mhz, boost_mhz : float
        Clocks of the data sheet.
    tdp_w : float
        Board power for each die, W.
    fp32_tflops : float
        fp32 peak at the boost clock for each die, TFLOP/s.
    arch, compute_capability
        Generation, such as ``"Pascal"`` and 6.1.
    """
    reference = REFERENCE_W_PER_TFLOP[process_of(arch=arch, compute_capability=compute_capability)]
    power = min(1.0, tdp_w / fp32_tflops / reference)
    base = min(base_mhz, boost_mhz)
    starved = min(1.0, power / STARVED)
    share = power**POWER_EXPONENT * starved**STARVED_EXPONENT
    estimate: float = boost_mhz * (base / boost_mhz) ** BASE_CLOCK_EXPONENT * share
    return max(estimate, min(base, boost_mhz / 4))
