"""Shipped graphs by name: exact names, and the spellings under which networks are known."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from perfmodel.errors import UnknownModelError
from perfmodel.graph.documents import Pack, from_document
from perfmodel.graph.graph import Graph

DATA = Path(__file__).parent / "data"
ZOO, TIMM = "zoo.pack", "timm.pack"

ALIASES = {
    "googlenetv1": "googlenet",
    "inceptionv1": "googlenet",
    "inception3": "inception_v3",
    "inception4": "inception_v4",
    "bert": "bert_base",
    "gpt2small": "gpt2",
    "gpt3": "gpt3_175b",
    "gpt3xlarge": "gpt3_xl",
    "ssd": "ssd300_resnet50",
    "ssd300": "ssd300_resnet50",
    "maskrcnn": "maskrcnn_resnet50_fpn",
    "maskrcnnr50fpn": "maskrcnn_resnet50_fpn",
    "neumf": "ncf",
    "seresnext50": "seresnext50_32x4d",
    "seresnext101": "seresnext101_32x4d",
    "resnext50": "resnext50_32x4d",
    "resnext101": "resnext101_32x4d",
    "wideresnet50": "wide_resnet50_2",
    "wideresnet101": "wide_resnet101_2",
    "mobilenetv3": "mobilenet_v3_large",
    "squeezenet": "squeezenet1_0",
    "shufflenet": "shufflenet_v2_x1_0",
    "shufflenetv2": "shufflenet_v2_x1_0",
    "mnasnet": "mnasnet1_0",
    "densenet": "densenet121",
    "vgg": "vgg16",
    "resnet": "resnet50",
    "vit": "vit_base_patch16_224",
    "swin": "swin_tiny_patch4_window7_224",
    "vitti16": "vit_tiny_patch16_224",
    "vits16": "vit_small_patch16_224",
    "vitb16": "vit_base_patch16_224",
    "vitl16": "vit_large_patch16_224",
    "vitb32": "vit_base_patch32_224",
    "vitl32": "vit_large_patch32_224",
    "vith14": "vit_huge_patch14_224",
    "switch": "switch_base_8",
    "llama": "llama_7b",
    "llama3": "llama3_8b",
    "dmnet": "dmnet_cnn",
    "deepestlstm": "deepest_lstm_tiny_pilotnet",
}
"""Squeezed spelling (lower case, letters and digits only) to the shipped name."""

_PATTERNS: tuple[tuple[str, str], ...] = (
    (r"(resnet\d+)v1(?:p?5|d)?", r"\1"),
    (r"(?:fb|torch|tv)?(resnet\d+)b?", r"\1"),
    (r"(gpt3|opt)(\d)p?(\d)", r"\1_\2.\3b"),
    (r"(gpt3|opt)(\d)p(\d)b", r"\1_\2.\3b"),
    (r"(gpt3|opt)(\d+)([bm])", r"\1_\2\3"),
    (r"gpt3175", "gpt3_175b"),
    (r"switch(\d+)", r"switch_base_\1"),
    (r"switch(base|large|xl)(\d+)", r"switch_\1_\2"),
    (r"switchtransformers?(base|large|xl)?(\d+)", r"switch_\1_\2"),
    (r"llama2?(7|13|70)b", r"llama_\1b"),
    (r"(?:meta)?llama3(?:p\d)?(1|8|70)b", r"llama3_\1b"),
    (r"vit(tiny|small|base|large)", r"vit_\1_patch16_224"),
    (r"swin(?:transformer)?(t|s|b)(?:iny|mall|ase)?", r"swin_\1"),
    (r"convnext(t|s|b|l)(?:iny|mall|ase|arge)?", r"convnext_\1"),
    (r"efficientnetv2(s|m|l)", r"efficientnet_v2_\1"),
)
_LETTERS = {"t": "tiny", "s": "small", "b": "base", "l": "large"}


@cache
def _pack(file: str) -> Pack | None:
    path = DATA / file
    return Pack(path) if path.exists() else None


def _names(file: str) -> tuple[str, ...]:
    pack = _pack(file)
    return pack.names() if pack else ()


def names(*, timm: bool = False) -> tuple[str, ...]:
    """Names of the shipped graphs; those of timm's collection too when ``timm``."""
    found = set(_names(ZOO))
    if timm:
        found |= {name for name in _names(TIMM) if "@" not in name}
    return tuple(sorted(found))


@cache
def _load(file: str, name: str) -> Graph | None:
    pack = _pack(file)
    if pack is None or name not in pack:
        return None
    return from_document(pack.document(name))


def load(name: str) -> Graph:
    """Load a shipped graph by its exact name; cached.

    Raises
    ------
    UnknownModelError
        When no graph of that name is shipped.
    """
    graph = _load(ZOO, name) or _load(TIMM, name)
    if graph is None:
        raise unknown(name)
    return graph


def unknown(name: str) -> UnknownModelError:
    """Return the error for a name that is not shipped, with the nearest ones."""
    known = names(timm=True)
    squeezed = {squeeze(each): each for each in known}
    near = get_close_matches(squeeze(name), squeezed, n=4, cutoff=0.6)
    listed = ", ".join(squeezed[each] for each in near)
    return UnknownModelError(
        f"unknown model {name!r}",
        f"near names: {listed}" if listed else "give a shipped name, pkg.mod:fn for your own module, or totals",
    )


def squeeze(name: str) -> str:
    """Lower case, letters and digits only; a decimal point becomes ``p``, so that 1.3 and 13 stay apart."""
    return re.sub(r"[^a-z0-9]", "", re.sub(r"(?<=\d)\.(?=\d)", "p", name.lower()))


@cache
def _squeezed(file: str) -> dict[str, str]:
    return {squeeze(name): name for name in _names(file)}


def resolve(name: str, *, size: int | None = None) -> tuple[Graph, dict[str, Any]]:
    """Find the graph that a spelling means, with the options the spelling implies.

    Parameters
    ----------
    name : str
        For example ``resnet-50``, ``Classification/ConvNets/resnet50v1.5``, ``bert_large_squad``, ``gpt3_27``,
        ``opt_13``, ``switchxl4``, ``timm:resnet50d`` or a plain timm name.
    size : int, optional
        Wanted image size; picks the variant captured at that size where there are several.

    Returns
    -------
    graph : Graph
    options : dict
        Arguments of `Graph.operators` that the name implies, such as ``{"size": 384}`` for SQuAD.

    Raises
    ------
    UnknownModelError
        With near names.
    """
    text, options = name.strip(), {}
    prefix, _, rest = text.partition(":")
    files = (ZOO, TIMM)
    if rest and prefix.lower() in ("timm", "torchvision", "zoo", "tv"):
        text = rest
        files = (TIMM, ZOO) if prefix.lower() == "timm" else (ZOO, TIMM)
    if squeeze(text).endswith("squad") and len(squeeze(text)) > 5:
        text = re.sub(r"[^a-z0-9]*squad$", "", text.lower())
        options["size"] = 384
    for spelling in _spellings(text):
        for file in files:
            graph = _sized(file, spelling, size)
            if graph is not None:
                return graph, options
    raise unknown(name)


def _sized(file: str, spelling: str, size: int | None) -> Graph | None:
    exact = spelling if spelling in _names_set(file) else _squeezed(file).get(squeeze(spelling))
    if exact is None:
        return None
    graph = _load(file, exact)
    if size is not None and graph is not None and not graph.size_step and graph.default_size != size:
        return _load(file, f"{exact}@{size}") or graph
    return graph


@cache
def _names_set(file: str) -> frozenset[str]:
    return frozenset(_names(file))


def _spellings(text: str) -> Iterable[str]:
    """Yield what a spelling may mean, most literal first."""
    yield text
    short = text.rsplit("/", 1)[-1]
    yield short
    if "." in short:
        yield short.split(".", 1)[0]  # timm's pretrained tags
    if text.lower() == "languagemodeling/bert":
        yield "bert_large"  # the configuration of NVIDIA's example
    key = squeeze(short)
    if key in ALIASES:
        yield ALIASES[key]
    for pattern, target in _PATTERNS:
        for candidate in (text.lower(), key):
            match = re.fullmatch(pattern, candidate)
            if match:
                yield from _expand(match.expand(target))


def _expand(name: str) -> Iterable[str]:
    """Yield a name, and its long form where sizes are given by a letter."""
    yield name
    family, _, letter = name.rpartition("_")
    if letter in _LETTERS and family in ("swin", "convnext"):
        long = _LETTERS[letter]
        yield f"{family}_{long}_patch4_window7_224" if family == "swin" else f"{family}_{long}"
