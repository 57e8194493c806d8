"""The table of known GPUs: the shipped ones and the user's own, found by name."""

from __future__ import annotations

import json
import os
from functools import cache
from typing import Any

from perfmodel.errors import InputError
from perfmodel.hardware import names
from perfmodel.hardware.spec import Gpu

__all__ = ["Gpu", "find_gpu", "gpus", "search_gpus", "shipped_gpus"]

_TABLE = os.path.join(os.path.dirname(__file__), "data", "gpus.json")  # pathlib would cost 8 ms of import


@cache
def shipped_gpus() -> dict[str, Gpu]:
    """Return key -> `Gpu` for the cards that come with the package, in the order of the table (oldest first)."""
    with open(_TABLE, encoding="utf-8") as file:
        rows = json.load(file)["gpus"]
    return {row["key"]: from_row(row) for row in rows}


def from_row(row: dict[str, Any], *, origin: str = "shipped") -> Gpu:
    """Build a card from one row of the table."""
    generation, lanes = row.get("pcie_gen"), row.get("pcie_lanes")
    bus = row.get("bus") or (f"PCIe {generation}.0 x{lanes}" if generation else "unknown")
    return Gpu(**{**row, "bus": bus, "origin": origin})


def gpus(*, user: bool = True) -> tuple[Gpu, ...]:
    """Return all known cards: the shipped ones, then (unless `user` is False) those of the user's data directory."""
    shipped = tuple(shipped_gpus().values())
    return shipped + _user_cards() if user else shipped


def find_gpu(name: str) -> Gpu:
    """Return the card of that name: key, alias, or a name as people or drivers spell it.

    Bare family names mean: ``p100`` PCIe 16 GB, ``v100`` SXM2 16 GB, ``a100`` SXM 80 GB, ``h100`` and ``h200`` SXM,
    ``k80`` one die (``k80-board`` is both), ``3060`` the desktop card (``3060m`` the laptop one). ``local`` and
    ``local:1`` are read from this machine's driver; ``cpu`` and ``cpu:2`` (threads) are its processor.

    Raises
    ------
    UnknownGpuError
        When no card has the name; the message lists the nearest ones.
    """
    if not isinstance(name, str) or not name.strip():
        raise InputError("the GPU's name is empty", "`perfmodel gpus list` shows the known ones")
    card = shipped_gpus().get(names.ALIASES.get(name, name)) or _find_shipped(name)
    if card is not None:
        return card
    if name.lower().split(":")[0] == "local":
        from perfmodel.hardware.local import local_gpu

        return local_gpu(name)
    if name.strip().lower().split(":")[0] == "cpu":
        from perfmodel.hardware.cpu import local_cpu

        return local_cpu(name)
    return _find_user(name)


def search_gpus(text: str) -> tuple[Gpu, ...]:
    """Return the cards whose key, name, chip, generation or form contains every word of a text."""
    words = text.lower().split()
    normal = names.normalise(text)

    def matches(card: Gpu) -> bool:
        described = f"{card.key} {card.name} {card.chip} {card.arch} {card.form}".lower()
        forms = (names.normalise(card.key), names.normalise(card.name))
        return all(word in described for word in words) or (bool(normal) and any(normal in form for form in forms))

    return tuple(card for card in gpus() if matches(card))


@cache
def _shipped_index() -> dict[str, str]:
    return names.index(shipped_gpus().values())


@cache
def _find_shipped(name: str) -> Gpu | None:
    key = _shipped_index().get(names.normalise(name))
    return None if key is None else _by_key(key, shipped_gpus())


def _by_key(key: str, cards: dict[str, Gpu]) -> Gpu:
    return cards[key] if key in cards else cards[key.removesuffix("-board")].board()


def _find_user(name: str) -> Gpu:
    cards = {card.key: card for card in _user_cards()}
    key = names.index(cards.values()).get(names.normalise(name))
    if key is None:
        raise names.unknown(name, [*shipped_gpus().values(), *cards.values()])
    return _by_key(key, cards)


def _user_cards() -> tuple[Gpu, ...]:
    from perfmodel.hardware.user_cards import load_user_cards

    return load_user_cards()
