"""How much measurement a prediction rests on, and what that does to its interval."""

from __future__ import annotations

from dataclasses import dataclass

from perfmodel.efficiency.levels import Setting
from perfmodel.efficiency.prior import Prior
from perfmodel.efficiency.profile import Profile
from perfmodel.hardware.gpu import Gpu
from perfmodel.hardware.spec import CPU_ARCH

#: Extra variance of log time when nothing measured supports an engine at all (a factor of about 1.4 either way), when
#: the engine was measured on other generations only, and when the generation was measured in another precision only.
_UNSUPPORTED, _OTHER_GENERATION, _OTHER_PRECISION = 0.35**2, 0.15**2, 0.12**2
_ENOUGH = 10


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Grade of a prediction.

    Attributes
    ----------
    grade : str
        A: this card was measured at this precision. B: its generation was. C: the precision was measured on other
        generations, or this generation at other precisions. D: extrapolated, nothing measured supports it.
    rows : int
        Measured rows behind the grade.
    why : str
        One sentence.
    variance : float
        Added to the variance of log time.
    """

    grade: str
    rows: int
    why: str
    variance: float


def judge(prior: Prior, setting: Setting, gpu: Gpu, profile: Profile | None = None) -> Evidence:
    """Grade a prediction.

    Parameters
    ----------
    prior : Prior
    setting : Setting
    gpu : Gpu
    profile : Profile, optional
        Measurements of this very card.
    """
    if gpu.arch == CPU_ARCH:
        return _judge_processor(gpu)
    engine, count = setting.engine, prior.counts
    if profile is not None and profile.observations:
        why = f"{profile.observations} measurements of this {gpu.name} (its profile)"
        return Evidence(grade="A", rows=profile.observations, why=why, variance=0.0)
    card = count.get("gpu_engine", {}).get(f"{gpu.key}|{engine}", 0)
    generation = count.get("arch_engine", {}).get(f"{gpu.arch}|{engine}", 0)
    anywhere = sum(n for key, n in count.get("arch_engine", {}).items() if key.endswith(f"|{engine}"))
    other = sum(n for key, n in count.get("arch_engine", {}).items() if key.startswith(f"{gpu.arch}|"))
    kernels = sum(n for key, n in prior.support.items() if key.startswith(f"{gpu.arch}|{engine}|"))
    tail = f"; {kernels} single kernels of that generation" if kernels else ""
    if card >= _ENOUGH:
        why = f"{card} measured steps on {gpu.name} at {setting.precision} precision{tail}"
        return Evidence(grade="A", rows=card, why=why, variance=0.0)
    if generation >= _ENOUGH or card:
        why = f"{generation} measured steps on {gpu.arch} cards at {setting.precision} precision{tail}"
        return Evidence(grade="B", rows=generation, why=why, variance=0.0)
    if anywhere >= _ENOUGH:
        extra = 0.0 if other else _OTHER_GENERATION
        where = f"{gpu.arch} cards only at other precisions" if other else f"none on {gpu.arch} cards"
        why = f"{anywhere} measured steps at {setting.precision} precision on other generations, {where}{tail}"
        return Evidence(grade="C", rows=anywhere, why=why, variance=_OTHER_PRECISION + extra)
    why = (
        f"no measured step at {setting.precision} precision on any card"
        f"{f', {other} on {gpu.arch} cards at others' if other else f', and none on {gpu.arch} cards'}"
        f"{tail}: this is a physical bound with typical efficiencies, not a measured model"
    )
    return Evidence(grade="D", rows=kernels, why=why, variance=_UNSUPPORTED + (0.0 if other else _OTHER_GENERATION))


def _judge_processor(gpu: Gpu) -> Evidence:
    """A where this processor was measured with as many threads, D where nothing was."""
    from perfmodel.efficiency.cpu import MEASURE, profile_of

    profile = profile_of(gpu)
    if profile.rows:
        why = f"{profile.rows} operators measured on this {gpu.name} ({profile.provenance.get('date', 'no date')})"
        return Evidence(grade="A", rows=profile.rows, why=why, variance=0.0)
    why = f"no profile of this {gpu.name}: typical figures of its vector unit and clock; {MEASURE} measures one"
    return Evidence(grade="D", rows=0, why=why, variance=0.0)
