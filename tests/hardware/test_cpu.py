"""This machine's processor in the form of a card."""

from __future__ import annotations

import pytest

from perfmodel.errors import InputError, PrecisionError
from perfmodel.hardware import cpu
from perfmodel.hardware.gpu import find_gpu
from perfmodel.hardware.host import local_host, usable_cores
from perfmodel.hardware.precision import resolve_precision


def test_it_describes_this_machine() -> None:
    found = find_gpu("cpu")
    assert (found.key, found.arch, found.origin, found.sm) == ("cpu", "CPU", "local", usable_cores())
    assert found.memory_gb == local_host().memory_gb
    assert 0.001 < found.peak_tflops("fp32") < 1000
    assert found.peaks_tflops["fp64"] == found.peaks_tflops["fp32"] / 2
    assert find_gpu(" CPU ") == found


def test_threads_scale_the_peak_and_nothing_beyond_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "usable_cores", lambda: 8)
    one, four, every = (cpu.local_cpu(name) for name in ("cpu:1", "cpu:4", "cpu:8"))
    assert (one.key, four.key, every.key) == ("cpu:1", "cpu:4", "cpu")
    assert four.peaks_tflops["fp32"] == pytest.approx(4 * one.peaks_tflops["fp32"])
    assert one.bandwidth_gbs < four.bandwidth_gbs <= every.bandwidth_gbs
    assert len({cpu.slug(card) for card in (one, four, every)}) == 3


@pytest.mark.parametrize("name", ["cpu:0", "cpu:-1", "cpu:x", "cpu:1.5", "cpu:100000"])
def test_threads_that_the_machine_lacks(name: str) -> None:
    with pytest.raises(InputError, match="names no part of this processor"):
        find_gpu(name)


def test_mixed_precision_is_bf16_and_only_where_the_processor_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "_cpuinfo", lambda: (frozenset({"avx2", "avx512f", "avx512_bf16"}), "a processor"))
    assert resolve_precision("amp", cpu.local_cpu("cpu:1")) == "amp_bf16"
    monkeypatch.setattr(cpu, "_cpuinfo", lambda: (frozenset({"avx2"}), "an older processor"))
    older = cpu.local_cpu("cpu:1")
    assert "bf16" not in older.peaks_tflops
    for name in ("amp", "fp16", "amp_fp16", "tf32", "int8"):
        with pytest.raises(PrecisionError, match="an older processor"):
            resolve_precision(name, older)


def test_vector_width_without_the_native_module(monkeypatch: pytest.MonkeyPatch) -> None:
    from perfmodel import native
    from perfmodel.errors import NativeUnavailableError

    def missing() -> None:
        raise NativeUnavailableError("not built", "build it")

    monkeypatch.setattr(native, "cpu", missing)
    for flags, isa in ((("avx2", "avx512f"), "avx512"), (("avx2",), "avx2"), (("asimd",), "neon")):
        monkeypatch.setattr(cpu, "_cpuinfo", lambda flags=flags: (frozenset(flags), "a processor"))
        cpu.instruction_set.cache_clear()
        assert cpu.instruction_set() == isa
    cpu.instruction_set.cache_clear()
