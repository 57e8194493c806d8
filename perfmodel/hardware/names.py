"""Finding a card by any name people and drivers use for it, and never a different card."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from perfmodel.errors import UnknownGpuError

if TYPE_CHECKING:
    from perfmodel.hardware.spec import Gpu

ALIASES: Mapping[str, str] = {
    "p100": "p100-pcie-16",
    "p100 pcie": "p100-pcie-16",
    "p100 16gb": "p100-pcie-16",
    "p100 12gb": "p100-pcie-12",
    "p100 sxm2 16gb": "p100-sxm2",
    "p100 sxm": "p100-sxm2",
    "v100": "v100-sxm2-16",
    "v100 sxm": "v100-sxm2-16",
    "v100 sxm2": "v100-sxm2-16",
    "v100 16gb": "v100-sxm2-16",
    "v100 32gb": "v100-sxm2-32",
    "v100 dgxs 32gb": "v100-sxm2-32",
    "v100 sxm 16gb": "v100-sxm2-16",
    "v100 sxm 32gb": "v100-sxm2-32",
    "v100 pcie": "v100-pcie-16",
    "v100 sxm3": "v100-sxm3-32",
    "v100s": "v100s-pcie-32",
    "v100s pcie": "v100s-pcie-32",
    "a100": "a100-sxm-80",
    "a100 sxm": "a100-sxm-80",
    "a100 80gb": "a100-sxm-80",
    "a100 40gb": "a100-sxm-40",
    "a100 pcie": "a100-pcie-40",
    "a100 80gb pcie": "a100-pcie-80",
    "a100 40gb pcie": "a100-pcie-40",
    "a100 pg509 200": "a100-sxm-40",
    "h100": "h100-sxm",
    "h100 80gb hbm3": "h100-sxm",
    "h100 80gb": "h100-sxm",
    "h100 sxm5 80gb": "h100-sxm",
    "h100 80gb hbm2e": "h100-pcie",
    "h100 pcie 80gb": "h100-pcie",
    "h100 nvl 94gb": "h100-nvl",
    "h200": "h200-sxm",
    "h200 141gb": "h200-sxm",
    "h200 141gb hbm3e": "h200-sxm",
    "h200 sxm5": "h200-sxm",
    "gh200": "gh200-96",
    "gh200 480gb": "gh200-96",
    "gh200 120gb": "gh200-96",
    "h100 sxm5 96gb": "gh200-96",
    "b200 180gb": "b200",
    "b200 192gb": "b200",
    "b200 sxm": "b200",
    "b300 288gb": "b300",
    "b300 sxm6 ac": "b300",
    "k40": "k40m",
    "tesla k40": "k40m",
    "tesla k40c": "k40m",
    "k80 board": "k80-board",
    "m60 board": "m60-board",
    "k520 board": "k520-board",
    "gtx 1050 2gb": "gtx1050",
    "gtx 1050 laptop": "gtx1050-mobile",
    "gtx 1060": "gtx1060-6gb",
    "gtx titan x": "titan-x-maxwell",
    "titan x maxwell": "titan-x-maxwell",
    "gtx titan x maxwell": "titan-x-maxwell",
    "titan x pascal": "titan-x-pascal",
    "titan xp collectors": "titan-xp",
    "rtx 2080 super maxq": "rtx2080super-maxq",
    "rtx 3050 8gb": "rtx3050",
    "rtx 3060 12gb": "rtx3060",
    "rtx 3060 mobile 6gb": "rtx3060-mobile",
    "rtx 3080 10gb": "rtx3080",
    "quadro rtx 6000": "quadro-rtx6000",
    "quadro rtx 8000": "quadro-rtx8000",
    "quadro rtx 5000": "quadro-rtx5000",
    "rtx 8000": "quadro-rtx8000",
    "rtx 5000": "quadro-rtx5000",
    "a4000": "rtx-a4000",
    "a4500": "rtx-a4500",
    "a5000": "rtx-a5000",
    "a5500": "rtx-a5500",
    "a6000": "rtx-a6000",
    "6000 ada": "rtx6000-ada",
    "rtx pro 6000": "rtxpro6000",
    "rtx pro 6000 blackwell": "rtxpro6000",
    "rtx pro 6000 blackwell workstation": "rtxpro6000",
    "rtx pro 6000 blackwell server": "rtxpro6000",
    "rtx pro 6000 maxq": "rtxpro6000-maxq",
    "rtx pro 6000 blackwell maxq": "rtxpro6000-maxq",
    "rtx pro 6000 blackwell maxq workstation": "rtxpro6000-maxq",
    "m4000": "quadro-m4000",
    "p4000": "quadro-p4000",
    "p5000": "quadro-p5000",
    "p6000": "quadro-p6000",
    "orin": "jetson-agx-orin-64",
    "agx orin": "jetson-agx-orin-64",
    "jetson agx orin": "jetson-agx-orin-64",
    "jetson orin": "jetson-agx-orin-64",
    "tegra x1": "jetson-nano",
}
"""Names beside each card's key and full name. A bare family name is the card that most people mean by it."""

AMBIGUOUS: Mapping[str, tuple[str, ...]] = {
    "titan x": ("titan-x-maxwell", "titan-x-pascal"),
    "rtx 6000": ("quadro-rtx6000", "rtx6000-ada"),
}

_NOISE_WORDS = (
    "nvidia, corporation, geforce, tesla, grid, gpu, graphics, card, with, design, generation, edition, unspecified"
)
_NOISE = frozenset(_NOISE_WORDS.split(", "))
_LAPTOP = re.compile(r"\b(?:laptop|mobile|notebook)\b")


def normalise(name: str) -> str:
    """Return the form in which names are compared: lower case, no spaces, no words that carry nothing.

    ``NVIDIA GeForce RTX 3060 Laptop GPU``, ``rtx 3060 mobile`` and ``3060m`` all become ``rtx3060mobile``.
    """
    text = re.sub(r"\((?:r|tm)\)", " ", name.lower())
    text = re.sub(r"\bmax[\s_-]?q\b", " maxq ", text.replace("_", " "))
    text = _LAPTOP.sub(" mobile ", text)
    words = [w for w in re.split(r"[^a-z0-9]+", text) if w and w not in _NOISE]
    joined = "".join(re.sub(r"^(\d+)g[bi]?b?$", r"\1", w) for w in words)
    joined = re.sub(r"sxm[4-6](?=\D|\d\d|$)", "sxm", joined)
    joined = re.sub(r"^((?:rtx|gtx)?\d{4}(?:ti)?(?:super)?)m$", r"\1mobile", joined)
    return _with_family(joined)


def _with_family(joined: str) -> str:
    """Put ``gtx`` or ``rtx`` before a bare GeForce number such as ``3060`` or ``4090ti``."""
    match = re.match(r"(\d\d)\d\d(?!\d)(?!ada)", joined)
    if match is None:
        return joined
    return ("gtx" if int(match[1]) < 20 else "rtx") + joined


def index(cards: Iterable[Gpu]) -> dict[str, str]:
    """Return normalised name -> key for the cards' keys and full names, and for the aliases of those present."""
    cards = tuple(cards)
    keys = {card.key for card in cards}
    found = {normalise(alias): key for alias, key in ALIASES.items() if key.removesuffix("-board") in keys}
    for card in cards:
        found.setdefault(normalise(card.name), card.key)
    for card in cards:
        found[normalise(card.key)] = card.key
        if card.dies_per_board > 1:
            found[normalise(f"{card.key}-board")] = f"{card.key}-board"
    return found


def near_names(name: str, cards: Iterable[Gpu], *, limit: int = 4) -> list[str]:
    """Return the keys nearest to a name: the same model number first, then by spelling."""
    import difflib

    wanted = normalise(name)
    by_form = {normalise(card.key): card.key for card in cards}
    numbers = set(re.findall(r"\d{2,}", wanted)) - {"16", "32", "40", "80"}
    same = [key for form, key in by_form.items() if numbers & set(re.findall(r"\d{2,}", form))]
    same.sort(key=lambda key: -difflib.SequenceMatcher(None, wanted, normalise(key)).ratio())
    spelled = [by_form[form] for form in difflib.get_close_matches(wanted, by_form, n=limit, cutoff=0.5)]
    return list(dict.fromkeys(same + spelled))[:limit]


def unknown(name: str, cards: Iterable[Gpu]) -> UnknownGpuError:
    """Return the error for a name that no card has, with the names that come nearest."""
    wanted = normalise(name)
    for text, keys in AMBIGUOUS.items():
        if normalise(text) == wanted:
            return UnknownGpuError(f"GPU {name!r} names several cards", f"say which: {' or '.join(keys)}")
    near = near_names(name, cards)
    hint = f"near names: {', '.join(near)}" if near else "`perfmodel gpus list` shows the known ones"
    if "mobile" in wanted or "maxq" in wanted:
        hint += " (desktop and laptop cards differ, so none was taken)"
    return UnknownGpuError(f"unknown GPU {name!r}", hint)
