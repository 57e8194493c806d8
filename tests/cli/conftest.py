"""Run the command line inside the test process, as a user would call it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from perfmodel import cli


@dataclass(frozen=True)
class Outcome:
    """What a call of the command line left behind."""

    status: int
    out: str
    err: str

    def document(self) -> Any:
        """The JSON document that it printed; `NaN` and `Infinity` are refused."""
        assert self.status == 0, self.err

        def refuse(name: str) -> float:
            raise ValueError(f"{name} in JSON")

        return json.loads(self.out, parse_constant=refuse)

    def error(self) -> str:
        """The one line of error of bad input."""
        assert self.status == 2, (self.status, self.err)
        assert self.out == ""
        assert self.err.startswith("error: "), self.err
        assert self.err.count("\n") == 1, self.err
        assert "a defect" not in self.err
        assert "Traceback" not in self.err
        return self.err


@pytest.fixture
def perfmodel(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Call ``perfmodel`` with words."""

    def call(*words: str) -> Outcome:
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            cli.main(list(words))
        captured = capsys.readouterr()
        assert isinstance(caught.value.code, int)
        return Outcome(caught.value.code, captured.out, captured.err)

    return call
