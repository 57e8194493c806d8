"""Value and derivatives of a law such as ``a + b / cores`` at any rows: arithmetic on arrays, no evaluation of code."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from perfmodel.regression.formula import arithmetic

Floats = npt.NDArray[np.float64]

_FUNCTIONS: Mapping[str, Callable[[Any], Any]] = {
    "log": np.log, "log2": np.log2, "log10": np.log10, "sqrt": np.sqrt, "exp": np.exp, "I": lambda value: value,
}  # fmt: skip
_OPERATIONS: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Add: np.add, ast.Sub: np.subtract, ast.Mult: np.multiply, ast.Div: np.divide, ast.Pow: np.power,
}  # fmt: skip
#: Step of the complex-step derivative: f'(x) = Im f(x + ih) / h has no rounding error for small h
#: (Squire and Trapp, SIAM Review 40, 1998).
_STEP = 1e-30


class Law:
    """A law with p parameters at n rows.

    Parameters
    ----------
    text : str
        Checked by `perfmodel.regression.formula.parse`.
    parameters : sequence of str, length p
    columns : mapping of str to array (n,)
        Variables in it.
    count : int
        n.
    """

    def __init__(self, text: str, parameters: Sequence[str], columns: Mapping[str, Any], count: int) -> None:
        self._tree = arithmetic(text)
        self._parameters = tuple(parameters)
        self._columns = {name: np.asarray(values, dtype=np.float64) for name, values in columns.items()}
        self._count = count

    def __call__(self, values: npt.ArrayLike) -> Floats:
        """Return the law at parameter values (p,), shape (n,); not a number where it has none."""
        return np.asarray(self._evaluate(np.asarray(values, dtype=np.float64)), dtype=np.float64)

    def jacobian(self, values: npt.ArrayLike) -> Floats:
        """Return derivatives with respect to the parameters, shape (n, p)."""
        point = np.asarray(values, dtype=np.float64)
        columns = []
        for at in range(len(point)):
            shifted = point.astype(np.complex128)
            shifted[at] += 1j * _STEP
            exact = np.imag(self._evaluate(shifted)) / _STEP
            columns.append(exact if np.isfinite(exact).all() else self._difference(point, at))
        return np.stack(columns, axis=1) if columns else np.zeros((self._count, 0))

    def _difference(self, point: Floats, at: int) -> Floats:
        step = np.zeros_like(point)
        step[at] = 6e-6 * max(abs(point[at]), 1e-8)
        return np.asarray((self(point + step) - self(point - step)) / (2 * step[at]), dtype=np.float64)

    def _evaluate(self, point: Any) -> Any:
        named = {**self._columns, **dict(zip(self._parameters, point, strict=True))}
        with np.errstate(all="ignore"):
            found = _value(self._tree, named)
        return np.broadcast_to(found, (self._count,))


def _value(node: ast.expr, named: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.Name):
        return named[node.id]
    if isinstance(node, ast.Constant):
        return float(node.value)  # type: ignore[arg-type]
    if isinstance(node, ast.UnaryOp):
        inner = _value(node.operand, named)
        return -inner if isinstance(node.op, ast.USub) else inner
    if isinstance(node, ast.BinOp):
        return _OPERATIONS[type(node.op)](_value(node.left, named), _value(node.right, named))
    assert isinstance(node, ast.Call)
    assert isinstance(node.func, ast.Name)
    return _FUNCTIONS[node.func.id](_value(node.args[0], named))
