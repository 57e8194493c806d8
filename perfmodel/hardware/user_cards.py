"""A user's own cards, described in TOML and kept in the user's data directory.

A card says what its data sheet says; what follows from the compute capability (cores, tensor cores, SM sizes, peaks)
may be left out and is derived. What is given must not contradict itself.

.. code-block:: toml

    key = "rtx4070-mobile"
    name = "GeForce RTX 4070 Laptop GPU"
    compute_capability = 8.9
    sm = 36
    base_mhz = 1230
    boost_mhz = 1695
    memory_gb = 8
    memory_type = "GDDR6"
    memory_bus_bits = 128
    bandwidth_gbs = 256
    l2_mb = 32
    tdp_w = 115
    pcie_gen = 4
    pcie_lanes = 8
    source = "NVIDIA product page"
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

from perfmodel.errors import FailureError, InputError
from perfmodel.hardware.architecture import ARCHITECTURES, Architecture, architecture
from perfmodel.hardware.derive import derive_peaks
from perfmodel.hardware.spec import Gpu
from perfmodel.hardware.storage import user_data_dir

REQUIRED = (
    "key",
    "name",
    "compute_capability",
    "sm",
    "base_mhz",
    "boost_mhz",
    "memory_gb",
    "bandwidth_gbs",
    "l2_mb",
    "tdp_w",
)
PEAKS = ("fp64", "fp32", "fp16", "fp16_cuda", "bf16", "tf32", "int8", "fp8")
_TEXT = ("key", "name", "chip", "arch", "memory_type", "bus", "release", "source", "note")
_WHOLE = (
    "sm",
    "cuda_cores",
    "tensor_cores",
    "memory_bus_bits",
    "regs_per_sm",
    "max_threads_per_sm",
    "pcie_gen",
    "pcie_lanes",
    "dies_per_board",
)
_ALLOWED = {f.name for f in fields(Gpu)} - {"origin", "dies"}


def cards_folder() -> Path:
    """Return the folder of the user's cards."""
    return user_data_dir() / "gpus"


def read_card(path: str | Path) -> Gpu:
    """Read and check one card from a TOML file.

    Raises
    ------
    InputError
        When the file is missing, is not TOML, lacks a field, has one that is unknown or of the wrong kind, or
        contradicts itself; the message names file and field.
    """
    where = Path(path)
    try:
        row = tomllib.loads(where.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {where}: {_why(error)}", "give a TOML file that describes one GPU") from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{where} is not TOML: {error}", "see docs/hardware.md for an example") from None
    return card_from_row(row, where=str(where))


def _why(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else "it is not text"


def card_from_row(row: dict[str, Any], *, where: str) -> Gpu:
    """Build and check a card from plain fields; `where` names their origin in errors."""
    _check_fields(row, where)
    facts = architecture(float(row["compute_capability"]))
    if facts is None:
        known = ", ".join(str(c) for c in ARCHITECTURES)
        raise InputError(f"{where}: compute_capability {row['compute_capability']} is not known", f"known: {known}")
    filled = _fill(row, facts)
    card = Gpu(**filled, origin="user")
    _check_card(card, where)
    return card


def _check_fields(row: dict[str, Any], where: str) -> None:
    missing = [name for name in REQUIRED if name not in row]
    if missing:
        raise InputError(f"{where} lacks {', '.join(missing)}", "add the missing fields")
    extra = sorted(set(row) - _ALLOWED)
    if extra:
        raise InputError(f"{where} has unknown fields: {', '.join(extra)}", f"known: {', '.join(sorted(_ALLOWED))}")
    for name, value in row.items():
        _check_value(name, value, where)
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]*", row["key"]):
        raise InputError(f"{where}: key {row['key']!r} is not a plain name", "use small letters, digits and dashes")


def _check_value(name: str, value: object, where: str) -> None:
    if name in _TEXT:
        fine = isinstance(value, str)
        wanted = "text"
    elif name == "nvlink_bridge":
        fine, wanted = isinstance(value, bool), "true or false"
    elif name == "peaks_tflops":
        fine = isinstance(value, dict) and set(value) <= set(PEAKS) and all(_positive(v) for v in value.values())
        wanted = f"a table of positive numbers under {', '.join(PEAKS)}"
    else:
        zero_allowed = name == "tensor_cores"
        fine = _positive(value) or (zero_allowed and value == 0)
        wanted = "a positive number"
        if name in _WHOLE:
            fine, wanted = fine and isinstance(value, int), "a positive whole number"
    if not fine:
        raise InputError(f"{where}: {name} is {value!r}", f"it must be {wanted}")


def _positive(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")


def _fill(row: dict[str, Any], facts: Architecture) -> dict[str, Any]:
    derived: dict[str, Any] = {
        "chip": "",
        "arch": facts.arch,
        "cuda_cores": row["sm"] * facts.cores_per_sm,
        "tensor_cores": row["sm"] * facts.tensor_cores_per_sm,
        "memory_type": "",
        "memory_bus_bits": 0,
        "l1_kb_per_sm": facts.l1_kb_per_sm,
        "smem_kb_per_sm": facts.smem_kb_per_sm,
        "regs_per_sm": facts.regs_per_sm,
        "max_threads_per_sm": facts.max_threads_per_sm,
        "source": "user",
        "bus": f"PCIe {row.get('pcie_gen', 3)}.0 x{row.get('pcie_lanes', 16)}",
        "pcie_gen": 3,
        "pcie_lanes": 16,
    }
    peaks = derive_peaks(
        facts=facts,
        compute_capability=row["compute_capability"],
        name=row["name"],
        sm=row["sm"],
        boost_mhz=row["boost_mhz"],
    )
    return {**derived, **row, "peaks_tflops": {**peaks, **row.get("peaks_tflops", {})}}


def _check_card(card: Gpu, where: str) -> None:
    from perfmodel.hardware.checks import check_card
    from perfmodel.hardware.gpu import shipped_gpus

    found = [c for c in check_card(card) if not c.excused]
    if found:
        raise InputError(f"{where} contradicts itself: {found[0].text}", "correct one of the two")
    if card.key in shipped_gpus():
        raise InputError(f"{where}: a shipped card is called {card.key!r}", "choose another key")


def add_card(path: str | Path) -> tuple[Gpu, Path]:
    """Check a card and store its file among the user's cards; return the card and where it went."""
    card = read_card(path)
    target = cards_folder() / f"{card.key}.toml"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(Path(path).read_text(encoding="utf-8"), encoding="utf-8")
    except OSError as error:
        raise FailureError(
            f"cannot write {target}: {error.strerror}", "set PERFMODEL_DATA_DIR to a folder you may write to"
        ) from None
    return card, target


def load_user_cards() -> tuple[Gpu, ...]:
    """Return the user's cards, in order of their keys; none when the folder does not exist."""
    folder = cards_folder()
    return tuple(read_card(path) for path in sorted(folder.glob("*.toml"))) if folder.is_dir() else ()
