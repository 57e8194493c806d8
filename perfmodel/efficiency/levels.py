"""Which learned effects apply to a run: its precision engine, stack, card, network and measuring campaign."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from perfmodel.efficiency.features import GROUPS
from perfmodel.hardware.clocks import REFERENCE_W_PER_TFLOP, process_of
from perfmodel.hardware.gpu import Gpu

Floats = npt.NDArray[np.float64]

#: Engines whose efficiencies are learned apart.
ENGINE_LABEL = {
    "fp32": "fp32",
    "tf32": "tf32",
    "fp16": "half",
    "bf16": "half",
    "amp": "amp",
    "amp_fp16": "amp",
    "amp_bf16": "amp",
    "int8": "int8",
    "fp8": "fp8",
}
#: Effects on each operator group and on the launch cost (last position), with their prior standard deviations (log).
GROUP_FACTORS = {
    "engine": 0.3,
    "era": 0.3,
    "version": 0.3,
    "layout": 0.25,
    "compiled": 0.35,
    "compiled_engine": 0.2,
    "arch": 0.1,
}
#: Effects on the whole step, with prior standard deviations (log).
TOTAL_FACTORS = {
    "campaign_mode": 0.15,
    "stack_mode": 0.10,
    "arch_campaign": 0.12,
    "gpu": 0.12,
    "gpu_engine": 0.08,
    "arch_engine": 0.08,
    "model": 0.12,
    "model_mode": 0.05,
    "family": 0.10,
    "family_engine": 0.06,
    "campaign_model": 0.12,
    "campaign_model_engine": 0.08,
    "resolved": 0.10,
}
#: Whose levels measurements of one card, on one host with one stack, tell: what a profile replaces.
CARD_FACTORS = frozenset((
    "campaign_mode", "stack_mode", "arch_campaign", "gpu", "gpu_engine", "arch_engine", "version_cards", "arch_cards",
    "campaign_cards", "arch_campaign_cards",
))  # fmt: skip
#: How many distinct cards (or networks) stand behind a level: what was measured on one only is less sure elsewhere.
DISTINCT = {
    "version_cards": ("version", "gpu"),
    "arch_cards": ("arch", "gpu"),
    "campaign_cards": ("campaign_mode", "gpu"),
    "arch_campaign_cards": ("arch_campaign", "gpu"),
    "family_models": ("family", "model"),
}
#: Sources of variance of log time, with the weights that they have before any left-out row was looked at: noise, every
#: group effect and every whole-step effect that no measurement has fixed, and the counts above.
SPREAD = {
    "noise": 0.1**2,
    **{name: 0.5 * sd**2 for name, sd in GROUP_FACTORS.items()},
    **{name: sd**2 for name, sd in TOTAL_FACTORS.items()},
    **dict.fromkeys(DISTINCT, 0.1**2),
}
#: Continuous covariates of a card: centred logs, each acting on the groups of one kind.
COVARIATES = ("power", "balance", "l2", "gddr")
COVARIATE_SD = 0.15
WIDTH = len(GROUPS) + 1
LAUNCH = len(GROUPS)
_COMPUTE = np.array(
    [name in {"conv", "conv_backward", "gemm", "gemm_backward", "batched"} for name in GROUPS] + [False]
)
_MEMORY = np.array([name in {"depthwise", "norm", "elementwise", "optimizer"} for name in GROUPS] + [False])


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What learned effects depend on.

    Attributes
    ----------
    precision : str
        Canonical precision.
    mode : str
        ``train`` or ``infer``.
    era, version : str
        Stack class (``pytorch2``) and exact stack (``pytorch 2.4``).
    layout : str
        ``nchw`` or ``nhwc``.
    compiled : bool
        Operators are fused by a compiler.
    campaign : str
        Name of the measuring campaign; empty for a plain prediction.
    model, family : str
        Network and its family.
    resolved : str
        ``graph`` or ``totals``.
    operators : bool
        The time is a sum of kernel times, which the physical coefficients are fitted to already.
    stated : bool
        The precision is known; a table that says "unknown" is read as mixed precision with effects of its own.
    """

    precision: str
    mode: str
    era: str
    version: str
    layout: str
    compiled: bool
    campaign: str
    model: str
    family: str
    resolved: str = "graph"
    operators: bool = False
    stated: bool = True

    @property
    def engine(self) -> str:
        """Label of the arithmetic engine."""
        label = ENGINE_LABEL[self.precision] if self.stated else "unstated"
        return f"{label} kernels" if self.operators else label


def group_levels(setting: Setting, arch: str) -> dict[str, str]:
    """Level of each group factor; an empty level has no effect."""
    e = setting.engine
    found = {
        "engine": e,
        "era": f"{e}|{setting.era}",
        "version": f"{e}|{setting.version}",
        "layout": f"{e}|nhwc" if setting.layout == "nhwc" else "",
        "compiled": "compiled" if setting.compiled else "",
        "compiled_engine": f"{e}|compiled" if setting.compiled else "",
        "arch": f"{e}|{arch}",
    }
    if setting.operators:  # the physical coefficients are fitted to such sums already; only fusing changes them
        found |= dict.fromkeys(("engine", "era", "version", "layout", "arch"), "")
    return found


def total_levels(setting: Setting, gpu_key: str, arch: str) -> dict[str, str]:
    """Level of each factor on the whole step; an empty level has no effect."""
    if setting.operators:  # the physical coefficients are fitted to such sums: only the card's own kernels may differ
        return dict.fromkeys(TOTAL_FACTORS, "") | {"gpu": f"{gpu_key} kernels"}
    e, campaign = setting.engine, setting.campaign
    stack = f"{setting.era}|{setting.version}|{setting.layout}|{setting.compiled}|{e}|{setting.mode}"
    return {
        "campaign_mode": f"{campaign}|{setting.mode}" if campaign else "",
        "stack_mode": f"{campaign}|{stack}" if campaign else "",
        "gpu": gpu_key,
        "arch_campaign": f"{arch}|{campaign}" if campaign else "",
        "gpu_engine": f"{gpu_key}|{e}",
        "arch_engine": f"{arch}|{e}",
        "model": setting.model,
        "model_mode": f"{setting.model}|{setting.mode}",
        "family": setting.family,
        "family_engine": f"{setting.family}|{e}",
        "campaign_model": f"{campaign}|{setting.model}" if campaign else "",
        "campaign_model_engine": f"{campaign}|{setting.model}|{e}" if campaign else "",
        "resolved": f"{setting.resolved}|{setting.mode}",
    }


def covariates(gpu: Gpu, setting: Setting) -> Floats:
    """Centred log covariates of a card, in the order of `COVARIATES`.

    Power a TFLOP/s against cards of the same process (0 where it is not short of power), FLOP per byte (about 18), L2
    per SM (about 0.07 MB), and whether memory is GDDR. Zero for sums of operators.
    """
    if setting.operators:
        return np.zeros(len(COVARIATES))
    fp32 = gpu.peaks_tflops["fp32"]
    process = process_of(arch=gpu.arch, compute_capability=gpu.compute_capability)
    values = (
        np.log(min(1.0, gpu.tdp_w / fp32 / REFERENCE_W_PER_TFLOP[process])),
        np.log(fp32 * 1e3 / gpu.bandwidth_gbs / 18.0),
        np.log(gpu.l2_mb / gpu.sm / 0.07),
        1.0 if "GDDR" in gpu.memory_type.upper() else 0.0,
    )
    return np.array(values)


def card_offsets(product: float, memory: float) -> Floats:
    """Log factors on groups and launch (WIDTH,) from a card's effects on products and on memory traffic."""
    result: Floats = _COMPUTE * product + _MEMORY * memory
    return result


def covariate_masks() -> npt.NDArray[np.bool_]:
    """Groups that each covariate acts on, shape (2 * covariates, WIDTH): first on arithmetic, then on memory groups."""
    return np.concatenate([np.tile(_COMPUTE, (len(COVARIATES), 1)), np.tile(_MEMORY, (len(COVARIATES), 1))])
