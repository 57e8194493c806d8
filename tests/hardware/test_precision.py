"""Reading precisions from any spelling, and what cards have."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfmodel.errors import PrecisionError
from perfmodel.hardware.gpu import find_gpu, gpus
from perfmodel.hardware.precision import PRECISIONS, canonical_precision, resolve_precision, supported

SPELLINGS = {
    "amp_fp16": "amp_fp16",
    "fp16_pure": "fp16",
    "fp32_or_tf32?": "tf32",
    "unknown": "fp32",
    "": "fp32",
    "nan": "fp32",
    "Float": "fp32",
    "float32": "fp32",
    "32": "fp32",
    "single precision": "fp32",
    "fp32(tf32 off: *_sgemm kernels)": "fp32",
    "no tf32": "fp32",
    "Throughput - FP32 [img/s]": "fp32",
    "mixed": "amp",
    "Throughput - mixed precision": "amp",
    "O2": "amp",
    "amp": "amp",
    "AMP BF16": "amp_bf16",
    "bf16-mixed": "amp_bf16",
    "16-mixed": "amp_fp16",
    "16 bit inputs, 16 bit multiplication, 32 bit addition": "fp16",
    "16 bit inputs, 32 bit multiplication, 32 bit addition": "fp16",
    "GEMM, Conv: Int8 multiplication, 32 bit accumulation": "int8",
    "INT-8": "int8",
    "half": "fp16",
    "bfloat16": "bf16",
    "Throughput - BF16": "bf16",
    "TF32 Throughput": "tf32",
    "FP8 e4m3": "fp8",
    "double": "fp64",
}


@pytest.mark.parametrize(("text", "name"), SPELLINGS.items())
def test_spellings(text: str, name: str) -> None:
    assert canonical_precision(text) == name


@pytest.mark.parametrize("text", ["sample", "fp7", "ampere", "fast"])
def test_what_names_no_precision_is_an_error_that_lists_them(text: str) -> None:
    with pytest.raises(PrecisionError, match="use one of fp32, tf32"):
        canonical_precision(text)


@pytest.mark.parametrize("name", PRECISIONS)
def test_canonical_names_are_fixed_points(name: str) -> None:
    assert canonical_precision(name) == name


@pytest.mark.parametrize(
    ("card", "text", "name"),
    [
        ("a100", "fp32_or_tf32?", "tf32"),
        ("v100", "fp32_or_tf32?", "fp32"),
        ("p100", "amp", "amp_fp16"),
        ("h100", "amp", "amp_fp16"),
        ("a100", "amp_bf16", "amp_bf16"),
        ("k80", "fp16", "fp16"),
        ("p4", "int8", "int8"),
    ],
)
def test_resolving_for_a_card(card: str, text: str, name: str) -> None:
    assert resolve_precision(text, find_gpu(card)) == name


@pytest.mark.parametrize(
    ("card", "text"),
    [
        ("p100", "bf16"),
        ("p100", "amp_bf16"),
        ("v100", "tf32"),
        ("t4", "bf16"),
        ("a100", "fp8"),
        ("p100", "int8"),
        ("k80", "int8"),
    ],
)
def test_a_precision_that_the_card_lacks_is_an_error_naming_card_and_choices(card: str, text: str) -> None:
    gpu = find_gpu(card)
    assert not gpu.supports(text)
    with pytest.raises(PrecisionError, match=rf"{gpu.key}\) has no {text}; it has fp32"):
        resolve_precision(text, gpu)
    with pytest.raises(PrecisionError):
        gpu.peak_tflops(text)


@pytest.mark.parametrize(
    ("card", "name", "peak"),
    [
        ("rtx3090", "fp16", 71.2),  # GeForce: half rate with fp32 accumulation
        ("rtx4090", "fp16", 165.2),
        ("rtx4090", "fp8", 330.3),
        ("rtx2080ti", "fp16", 53.8),
        ("titan-rtx", "fp16", 130.5),
        ("a100", "fp16", 311.9),
        ("a100", "tf32", 155.9),
        ("h100", "fp8", 1979.0),
        ("p100", "fp16", 19.05),
        ("p100", "amp", 9.526),  # no tensor cores: fp32 accumulation runs at the fp32 rate
        ("gtx1080ti", "fp16", 11.34),  # own 16-bit rate is 1/64: computes in fp32
        ("m60", "amp_fp16", 4.825),
        ("gtx1080ti", "int8", 45.4),
    ],
)
def test_peaks(card: str, name: str, peak: float) -> None:
    assert find_gpu(card).peak_tflops(name) == pytest.approx(peak)


@pytest.mark.parametrize(
    ("card", "how"), [("gtx1080ti", "fp32"), ("k80", "fp32"), ("p100", "fp16"), ("v100", "tensor")]
)
def test_what_16_bit_products_run_on(card: str, how: str) -> None:
    assert find_gpu(card).half_compute == how


def test_every_card_has_fp32_fp16_and_amp_and_a_peak_for_all_it_supports() -> None:
    for card in gpus(user=False):
        names = supported(card)
        assert {"fp32", "fp16", "amp", "amp_fp16"} <= set(names)
        assert all(card.peak_tflops(name) > 0 for name in names)
        assert all(card.supports(name) == (name in names) for name in PRECISIONS)


def test_no_precision_of_the_measured_rows_is_unreadable(shared_data: Path) -> None:
    from perfmodel.runs.table import read_table

    for table in ("end_to_end", "kernels"):
        for text in set(read_table(shared_data / "measurements" / f"{table}.csv.gz")["precision"]):
            assert canonical_precision(text) in PRECISIONS


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(PrecisionError):
        assert canonical_precision(text) in PRECISIONS
