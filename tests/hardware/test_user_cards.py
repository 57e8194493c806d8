"""A user's own cards from TOML."""

from __future__ import annotations

from pathlib import Path

import pytest

from perfmodel.errors import FailureError, InputError, UnknownGpuError
from perfmodel.hardware.gpu import find_gpu, gpus, shipped_gpus
from perfmodel.hardware.storage import user_data_dir
from perfmodel.hardware.user_cards import add_card, card_from_row, read_card

CARD = """
key = "rtx4070-mobile"
name = "GeForce RTX 4070 Laptop GPU"
compute_capability = 8.9
sm = 36
base_mhz = 1230
boost_mhz = 1695
memory_gb = 8
bandwidth_gbs = 256
l2_mb = 32
tdp_w = 115
"""


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PERFMODEL_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def write(folder: Path, text: str = CARD) -> Path:
    path = folder / "spec.toml"
    path.write_text(text)
    return path


def test_a_stored_card_is_found_by_name_and_listed(tmp_path: Path, data_dir: Path) -> None:
    with pytest.raises(UnknownGpuError):
        find_gpu("4070m")
    card, path = add_card(write(tmp_path))
    assert path == data_dir / "gpus" / "rtx4070-mobile.toml"
    assert find_gpu("4070m") == find_gpu("RTX 4070 Laptop GPU") == card
    assert find_gpu("4070").key == "rtx4070"
    assert card.origin == "user"
    assert gpus()[-1] == card
    assert card not in gpus(user=False)


def test_what_is_left_out_follows_from_the_compute_capability(tmp_path: Path) -> None:
    card = read_card(write(tmp_path))
    assert (card.cuda_cores, card.tensor_cores, card.arch) == (4608, 144, "Ada")
    assert card.peak_tflops("fp32") == pytest.approx(15.62, rel=1e-3)
    assert card.peak_tflops("bf16") == pytest.approx(card.peak_tflops("fp32") * 2, rel=1e-3)


def test_derived_peaks_agree_with_the_shipped_cards() -> None:
    for key in (
        "v100-pcie-16",
        "titan-rtx",
        "rtx2080ti",
        "a100-sxm-80",
        "a40",
        "rtx3060",
        "l4",
        "rtx5090",
        "t4",
        "gtx1080ti",
    ):
        known = shipped_gpus()[key]
        names = (
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
        card = card_from_row({"key": f"my-{key}", **{n: getattr(known, n) for n in names}}, where="test")
        for peak in ("fp32", "fp16", "bf16", "tf32", "int8", "fp8"):
            assert (peak in card.peaks_tflops) == (peak in known.peaks_tflops), (key, peak)
            if peak in known.peaks_tflops:
                assert card.peaks_tflops[peak] == pytest.approx(known.peaks_tflops[peak], rel=0.01), (key, peak)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("sm = 36\n", ""), "lacks sm"),
        (("sm = 36", "sm = 36.5"), "sm is 36.5; it must be a positive whole number"),
        (("sm = 36", "sm = 0"), "sm is 0"),
        (("tdp_w = 115", "tdp_w = -5"), "tdp_w is -5"),
        (("tdp_w = 115", "tdp_w = true"), "tdp_w is True"),
        (("tdp_w = 115", "tdp_w = nan"), "tdp_w is nan"),
        (("tdp_w = 115", "tdp_w = 115\nwatts = 1"), "unknown fields: watts"),
        (("tdp_w = 115", "tdp_w = 115\ncuda_cores = 5888"), "contradicts itself: 5888 cores against 36 SMs x 128"),
        (("base_mhz = 1230", "base_mhz = 2000"), "contradicts itself: base 2000"),
        (("tdp_w = 115", "tdp_w = 115\n[peaks_tflops]\nfp32 = 29.0"), "contradicts itself: fp32 29"),
        (("tdp_w = 115", "tdp_w = 115\n[peaks_tflops]\nfp4 = 29.0"), "peaks_tflops is"),
        (("compute_capability = 8.9", "compute_capability = 4.2"), "compute_capability 4.2 is not known"),
        (('key = "rtx4070-mobile"', 'key = "rtx3090"'), "a shipped card is called 'rtx3090'"),
        (('key = "rtx4070-mobile"', 'key = "../evil"'), "not a plain name"),
        (("sm = 36", "sm = "), "is not TOML"),
        (('name = "GeForce RTX 4070 Laptop GPU"', "name = 5"), "name is 5; it must be text"),
    ],
)
def test_wrong_cards_are_refused_with_one_line(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    path = write(tmp_path, CARD.replace(*change))
    with pytest.raises(InputError) as caught:
        read_card(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_missing_folder_and_binary_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_card(tmp_path / "absent.toml")
    with pytest.raises(InputError, match="directory"):
        read_card(tmp_path)
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not text"):
        read_card(tmp_path / "binary.toml")


def test_a_data_directory_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PERFMODEL_DATA_DIR", str(tmp_path / "file"))
    with pytest.raises(FailureError, match="PERFMODEL_DATA_DIR"):
        add_card(write(tmp_path))


def test_the_platform_decides_without_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PERFMODEL_DATA_DIR", raising=False)
    assert user_data_dir().name == "perfmodel"


def test_the_documented_example_is_a_card(tmp_path: Path) -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "hardware.md").read_text()
    example = text.split("```toml\n", 1)[1].split("```", 1)[0]
    assert read_card(write(tmp_path, example)).key == "rtx4070-mobile"
