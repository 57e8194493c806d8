"""The phase vocabulary."""

from __future__ import annotations

import subprocess
import sys

import pytest

from perfmodel.instrument.phases import MEANING, PHASES, complete


def test_the_ten_phases() -> None:
    expected = "load, h2d, forward, loss, backward, optimizer, communication, launch, input_wait, other"
    assert ", ".join(PHASES) == expected
    assert set(MEANING) == set(PHASES)


def test_complete_fills_what_is_missing_in_order() -> None:
    times = complete({"backward": 2, "load": 1})
    assert tuple(times) == PHASES
    assert sum(times.values()) == 3.0


def test_complete_refuses_names_that_are_no_phase() -> None:
    with pytest.raises(ValueError, match="not a phase: copy"):
        complete({"copy": 1.0})


def test_instrument_is_a_leaf() -> None:
    code = (
        "import sys, perfmodel.instrument.phases, perfmodel.instrument.runlog;"
        "print(sorted(m for m in sys.modules if m.startswith('perfmodel.')))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    allowed = ("perfmodel.instrument", "perfmodel.errors", "perfmodel.lazy", "perfmodel.hardware")
    assert all(name.startswith(allowed) for name in eval(out))
