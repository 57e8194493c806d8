"""The shipped table of GPUs, and finding a card by name."""

from __future__ import annotations

import contextlib
import csv
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfmodel.errors import InputError, UnknownGpuError
from perfmodel.hardware import names
from perfmodel.hardware.gpu import find_gpu, gpus, search_gpus, shipped_gpus

NAMES = {
    "p100": "p100-pcie-16",
    "P100-PCIE": "p100-pcie-16",
    "Tesla P100-PCIE-16GB": "p100-pcie-16",
    "Tesla P100-PCIE-12GB": "p100-pcie-12",
    "Tesla P100-SXM2-16GB": "p100-sxm2",
    "v100": "v100-sxm2-16",
    "Tesla V100-SXM2-16GB": "v100-sxm2-16",
    "Tesla V100-SXM2-32GB": "v100-sxm2-32",
    "Tesla V100-PCIE-32GB": "v100-pcie-32",
    "Tesla V100-SXM3-32GB": "v100-sxm3-32",
    "Tesla V100S-PCIE-32GB": "v100s-pcie-32",
    "k80": "k80",
    "Tesla K80": "k80",
    "k80-board": "k80-board",
    "K80 board": "k80-board",
    "k40": "k40m",
    "GRID K520": "k520",
    "Tesla M60": "m60",
    "3060": "rtx3060",
    "rtx 3060": "rtx3060",
    "RTX 3060 12GB": "rtx3060",
    "rtx 3060 mobile": "rtx3060-mobile",
    "3060m": "rtx3060-mobile",
    "RTX3060M": "rtx3060-mobile",
    "3060 laptop": "rtx3060-mobile",
    "NVIDIA GeForce RTX 3060 Laptop GPU": "rtx3060-mobile",
    "RTX 3060 Max-Q": "rtx3060-maxq",
    "NVIDIA GeForce RTX 2080 with Max-Q Design": "rtx2080-maxq",
    "NVIDIA GeForce RTX 2080 Super with Max-Q Design": "rtx2080super-maxq",
    "4090": "rtx4090",
    "RTX 4090": "rtx4090",
    "NVIDIA GeForce RTX 3090": "rtx3090",
    "1080ti": "gtx1080ti",
    "GeForce GTX 1080 Ti": "gtx1080ti",
    "GeForce GTX 1060 6GB": "gtx1060-6gb",
    "TITAN X (Pascal)": "titan-x-pascal",
    "GeForce GTX TITAN X": "titan-x-maxwell",
    "NVIDIA TITAN V": "titan-v",
    "TITAN Xp": "titan-xp",
    "NVIDIA TITAN RTX": "titan-rtx",
    "Quadro RTX 6000": "quadro-rtx6000",
    "NVIDIA RTX 6000 Ada Generation": "rtx6000-ada",
    "NVIDIA RTX A6000": "rtx-a6000",
    "A6000": "rtx-a6000",
    "Tesla T4": "t4",
    "a100": "a100-sxm-80",
    "NVIDIA A100-SXM4-80GB": "a100-sxm-80",
    "NVIDIA A100-SXM4-40GB": "a100-sxm-40",
    "NVIDIA A100-PCIE-40GB": "a100-pcie-40",
    "NVIDIA A100 80GB PCIe": "a100-pcie-80",
    "NVIDIA A10": "a10",
    "NVIDIA A10G": "a10g",
    "NVIDIA L40S": "l40s",
    "h100": "h100-sxm",
    "NVIDIA H100 80GB HBM3": "h100-sxm",
    "NVIDIA H100 PCIe": "h100-pcie",
    "NVIDIA H100 NVL": "h100-nvl",
    "NVIDIA GH200 480GB": "gh200-96",
    "h200": "h200-sxm",
    "NVIDIA H200": "h200-sxm",
    "NVIDIA H200 NVL": "h200-nvl",
    "NVIDIA B200": "b200",
    "NVIDIA RTX PRO 6000 Blackwell Workstation Edition": "rtxpro6000",
    "NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition": "rtxpro6000-maxq",
}


@pytest.mark.parametrize(("name", "key"), NAMES.items())
def test_names_as_people_and_drivers_write_them(name: str, key: str) -> None:
    assert find_gpu(name).key == key


def test_every_key_and_full_name_finds_its_own_card() -> None:
    for card in gpus(user=False):
        assert find_gpu(card.key) == card
        assert find_gpu(card.name.upper()) == card


def test_aliases_point_at_cards_that_exist() -> None:
    keys = set(shipped_gpus())
    assert {key.removesuffix("-board") for key in names.ALIASES.values()} <= keys
    assert {key for several in names.AMBIGUOUS.values() for key in several} <= keys


@pytest.mark.parametrize(
    "name", ["rtx 3070 mobile", "3070m", "4090 laptop", "NVIDIA GeForce RTX 4090 Laptop GPU", "gtx 1080 max-q"]
)
def test_a_laptop_card_without_a_row_is_never_the_desktop_card(name: str) -> None:
    with pytest.raises(UnknownGpuError, match="desktop and laptop cards differ"):
        find_gpu(name)


@pytest.mark.parametrize("name", ["rtx 3080 ti", "gtx 1060 3gb", "rtx 4070 super", "a1000", "rtx", "titan", "9999"])
def test_a_card_that_is_not_there_is_not_replaced_by_a_similar_one(name: str) -> None:
    with pytest.raises(UnknownGpuError):
        find_gpu(name)


def test_the_error_lists_near_names() -> None:
    with pytest.raises(UnknownGpuError, match="near names: rtx3080"):
        find_gpu("rtx 3080 ti")


@pytest.mark.parametrize(("name", "first"), [("titan x", "titan-x-maxwell"), ("RTX 6000", "quadro-rtx6000")])
def test_a_name_of_two_cards_asks_which(name: str, first: str) -> None:
    with pytest.raises(UnknownGpuError, match=f"say which: {first} or "):
        find_gpu(name)


@pytest.mark.parametrize("name", ["", "   "])
def test_an_empty_name_is_an_input_error(name: str) -> None:
    with pytest.raises(InputError, match="empty"):
        find_gpu(name)


@given(st.text(max_size=30))
def test_any_text_finds_a_card_or_says_that_it_does_not(text: str) -> None:
    if text.lower().startswith("local"):
        return
    with contextlib.suppress(InputError):
        assert find_gpu(text).key.removesuffix("-board") in shipped_gpus()


def test_the_k80_is_one_die_and_its_board_is_two() -> None:
    die, board = find_gpu("k80"), find_gpu("k80-board")
    assert (die.dies, board.dies) == (1, 2)
    assert (die.tdp_w, board.tdp_w) == (150.0, 300.0)
    for field in ("sm", "cuda_cores", "memory_gb", "bandwidth_gbs", "l2_mb"):
        assert getattr(board, field) == 2 * getattr(die, field)
    assert board.peak_tflops("fp32") == 2 * die.peak_tflops("fp32")
    assert board.sustained_mhz == pytest.approx(die.sustained_mhz)


def test_power_of_dual_die_cards_is_per_die() -> None:
    assert [find_gpu(k).tdp_w for k in ("k80", "m60", "k520")] == [150.0, 150.0, 112.5]


def test_mobile_and_desktop_3060_carry_their_own_figures() -> None:
    mobile, desktop = find_gpu("3060m"), find_gpu("3060")
    assert (mobile.cuda_cores, desktop.cuda_cores) == (3840, 3584)
    assert (mobile.memory_gb, desktop.memory_gb) == (6, 12)
    assert (mobile.form, desktop.form) == ("laptop", "desktop")


def test_every_card_names_its_source() -> None:
    cards = gpus(user=False)
    assert len(cards) == 90
    assert all("TechPowerUp" in card.source for card in cards)
    assert all("NVLink: NVIDIA" in card.source for card in cards if card.nvlink_gbs)


def test_the_table_agrees_with_the_collected_specifications(shared_data: Path) -> None:
    with (shared_data / "hardware" / "gpus.csv").open(newline="") as file:
        rows = {row["gpu"]: row for row in csv.DictReader(file)}
    assert set(rows) == set(shipped_gpus())
    for key, row in rows.items():
        card = find_gpu(key)
        assert (card.sm, card.cuda_cores) == (int(row["sm"]), int(row["cuda_cores"]))
        assert card.boost_mhz == float(row["boost_mhz"])
        assert card.bandwidth_gbs == float(row["mem_bw_gbs"])
        assert card.peaks_tflops["fp32"] == pytest.approx(float(row["fp32_tflops"]), rel=1e-4)


def test_nvlink_and_peer_to_peer() -> None:
    assert find_gpu("h100").nvlink_gbs == 900
    assert not find_gpu("a100").nvlink_bridge
    assert find_gpu("rtx3090").nvlink_bridge
    assert not find_gpu("rtx4090").peer_to_peer
    assert find_gpu("gtx1080ti").peer_to_peer
    assert find_gpu("p100").nvlink_gbs is None


def test_search_by_words() -> None:
    assert {c.key for c in search_gpus("3060 laptop")} == {"rtx3060-mobile", "rtx3060-maxq"}
    assert {c.key for c in search_gpus("hopper nvl")} == {"h100-nvl", "h200-nvl"}
    assert search_gpus("nothing at all") == ()


def test_cards_travel_between_processes_and_serve_as_keys() -> None:
    card = find_gpu("a100")
    copy = pickle.loads(pickle.dumps(card))
    assert copy == card
    assert {card: 1}[copy] == 1


def test_the_table_loads_without_heavy_imports_and_fast() -> None:
    code = (
        "import sys, time; from perfmodel.hardware.gpu import shipped_gpus, find_gpu; t = time.perf_counter();"
        "shipped_gpus(); find_gpu('p100'); print(time.perf_counter() - t);"
        "print(sorted({'numpy', 'pandas', 'click', 'platformdirs', 'pynvml'} & set(sys.modules)))"
    )
    times = []
    for _ in range(3):
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split(
            "\n"
        )
        assert out[1] == "[]"
        times.append(float(out[0]))
    assert min(times) < 0.003 * 3  # 3 ms on a quiet machine
