"""Which pool is used, and that Pillow in its place is said once."""

from __future__ import annotations

import builtins
from typing import Any

import pytest

from perfmodel.errors import DependencyError, InputError, NativeUnavailableError
from perfmodel.loading import pools
from perfmodel.loading.pillow import PillowPool


class Module:
    """A compiled module with image formats as given."""

    ImagePool = object

    def __init__(self, **formats: bool) -> None:
        self._formats = formats

    def image_formats(self) -> dict[str, bool]:
        return self._formats


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "_said", False)
    monkeypatch.delenv(pools.VARIABLE, raising=False)


def test_pillow_is_forced_by_argument_and_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools.native, "cpu", lambda: Module(jpeg=True, png=True))
    assert pools.chosen_backend() == "native"
    assert pools.chosen_backend("pillow") == "pillow"
    monkeypatch.setenv(pools.VARIABLE, "pillow")
    assert pools.chosen_backend() == "pillow"
    assert pools.chosen_backend("native") == "native", "the argument comes first"
    assert isinstance(pools.make_pool("pillow", 1), PillowPool)


def test_wrong_names_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="backend is 'cuda'"):
        pools.chosen_backend("cuda")
    monkeypatch.setenv(pools.VARIABLE, "turbo")
    with pytest.raises(InputError, match="PERFMODEL_LOADER_BACKEND is 'turbo'"):
        pools.chosen_backend()


def test_missing_libraries_are_said_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(pools.native, "cpu", lambda: Module(jpeg=True, png=False))
    assert pools.chosen_backend() == pools.chosen_backend() == "pillow"
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "built without png" in said
    with pytest.raises(NativeUnavailableError, match="built without png"):
        pools.chosen_backend("native")


def test_a_build_without_the_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Any:
        raise NativeUnavailableError("perfmodel._cpu is not available", "build it")

    monkeypatch.setattr(pools.native, "cpu", missing)
    assert pools.chosen_backend() == "pillow"
    with pytest.raises(NativeUnavailableError, match="_cpu is not available"):
        pools.chosen_backend("native")


def test_without_pillow_there_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def no_pillow(name: str, *rest: Any) -> Any:
        if name.split(".")[0] == "PIL":
            raise ImportError("No module named 'PIL'")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", no_pillow)
    with pytest.raises(DependencyError, match="pip install pillow"):
        PillowPool(1)


def test_a_pool_needs_a_thread() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        PillowPool(0)
