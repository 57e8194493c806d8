"""``gpus`` documents: what the cards are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from perfmodel.report.content import Child, Column, Limits, Section, table
from perfmodel.report.documents import Document
from perfmodel.report.sections import Types
from perfmodel.report.words import count, listed, number

NEEDED: Mapping[str, Types] = {}
_CARD: Mapping[str, Types] = {
    "key": str,
    "name": str,
    "arch": str,
    "sm": int,
    "cuda_cores": int,
    "memory_gb": float,
    "bandwidth_gbs": float,
    "tdp_w": float,
    "peaks_tflops.*": float,
}
_COLUMNS = [
    Column(title="GPU", number=False), Column(title="Generation", number=False), Column(title="SMs"),
    Column(title="CUDA cores"), Column(title="fp32, TFLOP/s"), Column(title="fp16, TFLOP/s"),
    Column(title="Memory, GB"), Column(title="Bandwidth, GB/s"), Column(title="Power, W"),
    Column(title="Released", number=False), Column(title="Figures from", number=False, long=True),
]  # fmt: skip


def section(documents: Sequence[Document], limits: Limits) -> Section:
    """One table of all cards."""
    cards = {card["key"]: card for one in documents for card in _cards(one)}
    rows = [_row(card) for card in list(cards.values())[: limits.rows]]
    left = [f"{len(cards) - len(rows)} cards"] if len(rows) < len(cards) else []
    return Section(
        title="GPUs",
        summary=(_answer(list(cards.values())),),
        body=table("gpus-table", "Specifications", _COLUMNS, rows),
        data=tuple(one.content for one in documents),
        left_out=tuple(left),
    )


def _cards(document: Document) -> list[Mapping[str, Any]]:
    found = document.content.get("gpus", [document.content.get("gpu")])
    for at, card in enumerate(found):
        document.check(card, _CARD, f"card {at + 1}")
    return list(found)


def _answer(cards: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    if not cards:
        return ("No GPU is listed.",)
    if len(cards) <= 4:
        return (f"Specifications of {listed([card['name'] for card in cards])}.",)
    most = max(cards, key=lambda card: card["bandwidth_gbs"])
    return (f"Specifications of {count(len(cards), 'GPU')}; the {most['name']} has the most memory bandwidth.",)


def _row(card: Mapping[str, Any]) -> list[Child]:
    peaks = card["peaks_tflops"]
    return [
        card["name"], card["arch"], str(card["sm"]), str(card["cuda_cores"]), number(peaks.get("fp32")),
        number(peaks.get("fp16")), number(card["memory_gb"]), number(card["bandwidth_gbs"], 4), number(card["tdp_w"]),
        str(card.get("release") or "-"), str(card.get("source") or "-"),
    ]  # fmt: skip
