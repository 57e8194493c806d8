"""Value of a design's column for given variables: ``log(cores)``, ``1 / bandwidth``, ``log(flops):blocks``."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from perfmodel.regression.design import Floats

_FUNCTIONS: Mapping[str, Callable[[Any], Any]] = {
    "log": np.log,
    "log2": np.log2,
    "log10": np.log10,
    "exp": np.exp,
    "sqrt": np.sqrt,
    "I": lambda value: value,
}
_OPERATORS: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}


def value_of(name: str, variables: Mapping[str, Floats]) -> Floats | None:
    """Return a column's value; None where it is no arithmetic of these variables (a level, a spline).

    Parameters
    ----------
    name : str
        Name of a column of a design; a colon multiplies.
    variables : mapping of str to array
    """
    try:
        parts = [_value(ast.parse(part.strip(), mode="eval").body, variables) for part in name.split(":")]
    except (SyntaxError, KeyError, TypeError):
        return None
    return np.asarray(np.prod(np.broadcast_arrays(*parts), axis=0), dtype=np.float64)


def _value(node: ast.expr, variables: Mapping[str, Floats]) -> Any:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return node.value
    if isinstance(node, ast.Name):
        return variables[node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand, variables)
    if isinstance(node, ast.BinOp):
        return _OPERATORS[type(node.op)](_value(node.left, variables), _value(node.right, variables))
    if isinstance(node, ast.Call) and len(node.args) == 1:
        function = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        return _FUNCTIONS[function](_value(node.args[0], variables))
    raise TypeError(ast.dump(node))
