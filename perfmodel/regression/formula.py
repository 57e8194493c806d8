"""Formulas as text: read against a short list of what they may hold, so that nobody's formula runs code.

``log(step_ms) ~ log(cores) + blocks`` is linear in its coefficients (Wilkinson and Rogers' notation, as in R);
``step_ms = a + b / cores`` is a law whose free names are parameters.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from perfmodel.errors import InputError
from perfmodel.regression.vocabulary import resolve_variable

FUNCTIONS = ("log", "log2", "log10", "sqrt", "exp")
"""Functions of numbers; ``C(x)`` makes a factor, ``I(...)`` is arithmetic, ``Q("name")`` quotes a column's name."""
_CALLS = frozenset((*FUNCTIONS, "I", "C", "Q"))
RESPONSES = ("log", "log2", "log10", "sqrt")
_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_]\w*)|(?P<text>\"[^\"\\]*\"|'[^'\\]*')"
    r"|(?P<sign>\*\*|[-+*/:()]))"
)
_LONGEST, _DEEPEST, _MOST_TERMS, _HIGHEST = 2000, 20, 400, 12
_REMEDY = "write such as 'log(step_ms) ~ log(cores) + blocks', or 'step_ms = a + b / cores' for a law"


@dataclass(frozen=True, kw_only=True)
class Formula:
    """A checked formula in canonical names.

    Attributes
    ----------
    response : str
        Left-hand side, such as ``log(step_ms)``.
    measured : str
        The variable in it.
    transform : str
        ``log``, ``log2``, ``log10``, ``sqrt`` or empty.
    right : str
        Right-hand side.
    names : tuple of str
        Variables of the right-hand side.
    factors : tuple of str
        Those in ``C(...)``.
    parameters : tuple of str
        Free names of a law; empty for a formula that is linear in its coefficients.
    nonlinear : bool
    """

    response: str
    measured: str
    transform: str
    right: str
    names: tuple[str, ...]
    factors: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    nonlinear: bool = False

    @property
    def text(self) -> str:
        """The whole formula."""
        return f"{self.response} {'=' if self.nonlinear else '~'} {self.right}"


def is_formula(text: str) -> bool:
    """Whether a text is meant as a formula rather than as the name of a preset."""
    return "~" in text or "=" in text


def parse(text: str, known: Iterable[str], *, words: Iterable[str] = ()) -> Formula:
    """Read a formula.

    Parameters
    ----------
    text : str
    known : iterable of str
        Columns that it may name (any alias of them, too).
    words : iterable of str
        Those of them that hold text: factors, which take no function of numbers.

    Raises
    ------
    InputError
        One line that names what cannot be read, or an unknown variable with near names.
    """
    columns = list(known)
    if len(text) > _LONGEST:
        raise InputError(f"the formula has {len(text)} characters", f"use at most {_LONGEST}")
    left, right, nonlinear = _sides(text)
    response, transform, measured = _response(left, columns)
    rewritten, names, free = _rewritten(right, columns, free=nonlinear)
    tree = _tree(rewritten, right)
    texts = frozenset(words)
    factors = _check_law(tree, texts) if nonlinear else _check_terms(tree, texts)
    if measured in names:
        raise InputError(f"{measured} is on both sides of the formula", "leave it out on the right")
    return Formula(
        response=response, measured=measured, transform=transform, right=rewritten, names=names, factors=factors,
        parameters=free, nonlinear=nonlinear,
    )  # fmt: skip


def _sides(text: str) -> tuple[str, str, bool]:
    """Left side, right side, and whether the formula is a law with parameters."""
    sign = "~" if "~" in text else "="
    left, _, right = text.partition(sign)
    if not left.strip() or not right.strip() or "~" in right or "=" in right or "=" in left:
        raise InputError(f"{text.strip()!r} is no formula", _REMEDY)
    return left.strip(), right.strip(), sign == "="


def _response(left: str, columns: list[str]) -> tuple[str, str, str]:
    match = re.fullmatch(rf"(?:({'|'.join(RESPONSES)})\s*\(\s*)?([A-Za-z_]\w*)\s*(\))?", left)
    if match is None or bool(match[1]) != bool(match[3]):
        raise InputError(
            f"cannot read the left-hand side {left!r}", f"name a measured column, or {', '.join(RESPONSES)} of one"
        )
    name = resolve_variable(match[2], columns)
    return (f"{match[1]}({name})" if match[1] else name), match[1] or "", name


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if match is None:
            raise InputError(
                f"the formula may not hold {text[at:].strip()[0]!r}",
                f"use variables, numbers, + - * / : ** ( ) and {', '.join(sorted(_CALLS))}",
            )
        at = match.end()
        yield str(match.lastgroup), match[str(match.lastgroup)]


def _rewritten(text: str, columns: list[str], *, free: bool) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """Formula in canonical names, its variables, and its free names."""
    tokens = [*_tokens(text), ("end", "")]
    words: list[str] = []
    names: dict[str, None] = {}
    parameters: dict[str, None] = {}
    for (kind, word), (_, following) in pairwise(tokens):
        if kind == "name" and following == "(":
            _check_function(word)
        elif kind == "name":
            word = _variable(word, columns, parameters if free else None)
            if word not in parameters:
                names[word] = None
        elif kind == "text":
            name = resolve_variable(word[1:-1], columns)
            names[name] = None
            word = f'"{name}"'
        words.append(word)
    return _spaced(words), tuple(names), tuple(parameters)


def _check_function(word: str) -> None:
    if word not in _CALLS:
        raise InputError(f"the formula may not call {word!r}", f"use {', '.join(sorted(_CALLS))}")


def _variable(word: str, columns: list[str], parameters: dict[str, None] | None) -> str:
    try:
        return resolve_variable(word, columns)
    except InputError:
        if parameters is None:
            raise
        parameters[word] = None
        return word


def _spaced(words: list[str]) -> str:
    text = " ".join(words)
    text = re.sub(r"\b([A-Za-z_]\w*) \(", r"\1(", text)
    text = re.sub(r"([-+*/:]) ([A-Za-z_]\w*)\(", r"\1 \2(", text)
    return re.sub(r" ?(\*\*|:) ?", r"\1", text.replace("( ", "(").replace(" )", ")"))


def _tree(text: str, shown: str) -> ast.expr:
    depth = deepest = 0
    for sign in text:
        depth += (sign == "(") - (sign == ")")
        deepest = max(deepest, depth)
    if deepest > _DEEPEST:
        raise InputError("the formula has too many parentheses inside each other", f"use at most {_DEEPEST}")
    try:
        return ast.parse(text.replace(":", "@"), mode="eval").body
    except SyntaxError:
        raise InputError(f"cannot read {shown!r}", _REMEDY) from None


def arithmetic(text: str) -> ast.expr:
    """Return the syntax tree of a checked law."""
    return ast.parse(text, mode="eval").body


def _names_in(node: ast.AST) -> set[str]:
    called = {id(n.func) for n in ast.walk(node) if isinstance(n, ast.Call)}
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and id(n) not in called}


def _check_law(tree: ast.expr, texts: frozenset[str]) -> tuple[str, ...]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("C", "Q"):
            raise InputError(f"a law may not hold {node.func.id}(...)", "laws take numbers; use '~' for factors")
    _check_arithmetic(tree, texts)
    return ()


def _check_terms(tree: ast.expr, texts: frozenset[str]) -> tuple[str, ...]:
    """Check a linear right-hand side; return the variables made factors by ``C``."""
    factors: dict[str, None] = {}
    if _check_term(tree, texts, factors) > _MOST_TERMS:
        raise InputError("the formula stands for too many terms", f"write at most {_MOST_TERMS}")
    both = [name for name in factors if name in _plain_names(tree)]
    if both:
        raise InputError(
            f"{both[0]} stands in the formula as a number and as C({both[0]}), which cannot be told apart", "keep one"
        )
    return tuple(factors)


def _plain_names(tree: ast.expr) -> set[str]:
    """Variables that stand anywhere outside ``C``."""
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and tree.func.id == "C":
        return set()
    if isinstance(tree, ast.Name):
        return {tree.id}
    children = tree.args if isinstance(tree, ast.Call) else ast.iter_child_nodes(tree)
    return set().union(*(_plain_names(child) for child in children if isinstance(child, ast.expr)), set())


def _check_term(node: ast.expr, texts: frozenset[str], factors: dict[str, None]) -> int:
    """Check a node outside of functions; return how many terms it stands for, at most."""
    if isinstance(node, ast.Name):
        return 1
    if isinstance(node, ast.Constant):
        if node.value not in (0, 1):
            raise InputError(f"the number {node.value!r} is no term", "put arithmetic inside I(...), as in I(2 * x)")
        return 1
    if isinstance(node, ast.Call):
        _check_call(node, texts, factors)
        return 1
    if isinstance(node, ast.UnaryOp):
        return _check_term(node.operand, texts, factors)
    if isinstance(node, ast.BinOp):
        return _check_operator(node, texts, factors)
    raise InputError("cannot read the formula", _REMEDY)


def _check_operator(node: ast.BinOp, texts: frozenset[str], factors: dict[str, None]) -> int:
    if isinstance(node.op, ast.Pow):
        return _check_crossing(node, texts, factors)
    if isinstance(node.op, ast.Mult | ast.Div | ast.MatMult):
        for side in (node.left, node.right):
            if isinstance(side, ast.Constant):
                raise InputError(
                    f"{ast.unparse(node).replace('@', ':')!r} is arithmetic",
                    f"write I({ast.unparse(node).replace('@', ':')})",
                )
    left, right = (_check_term(side, texts, factors) for side in (node.left, node.right))
    if isinstance(node.op, ast.Add | ast.Sub):
        return left + right
    return left * right + left + right


def _check_crossing(node: ast.BinOp, texts: frozenset[str], factors: dict[str, None]) -> int:
    power = node.right
    if not isinstance(power, ast.Constant) or power.value not in (1, 2, 3):
        raise InputError("outside I(...) ** takes 1, 2 or 3", "for a power of a variable write I(x ** 2)")
    if isinstance(node.left, ast.Name | ast.Call):
        inner = ast.unparse(node)
        raise InputError(f"{inner!r} crosses a term with itself, which is that term", f"write I({inner})")
    return int((_check_term(node.left, texts, factors) + 1) ** int(str(power.value)))


def _check_call(node: ast.Call, texts: frozenset[str], factors: dict[str, None]) -> None:
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    if name not in _CALLS or len(node.args) != 1 or node.keywords:
        raise InputError(f"cannot read {ast.unparse(node)!r}", f"{name or 'a function'} takes one argument")
    inner = node.args[0]
    if name == "Q":
        if not isinstance(inner, ast.Constant) or not isinstance(inner.value, str):
            raise InputError("Q takes a column's name in quotation marks", 'as in Q("my column")')
    elif name == "C":
        if not isinstance(inner, ast.Name):
            raise InputError("C takes one variable", "as in C(blocks)")
        factors[inner.id] = None
    else:
        _check_arithmetic(inner, texts)


def _check_arithmetic(node: ast.expr, texts: frozenset[str]) -> None:
    """Check numbers, variables, + - * / ** and functions of them; no text, no constant to a power."""
    if isinstance(node, ast.Name):
        if node.id in texts:
            raise InputError(f"{node.id} holds text", f"use it as a factor: {node.id}")
    elif isinstance(node, ast.Constant):
        if isinstance(node.value, str):
            raise InputError("a text stands where a number belongs", 'quote columns with Q("name")')
    elif isinstance(node, ast.UnaryOp):
        _check_arithmetic(node.operand, texts)
    elif isinstance(node, ast.Call):
        if not isinstance(node.func, ast.Name) or node.func.id not in (*FUNCTIONS, "I", "Q") or len(node.args) != 1:
            raise InputError(f"cannot read {ast.unparse(node)!r}", f"inside arithmetic use {', '.join(FUNCTIONS)}")
        if node.func.id != "Q":
            _check_arithmetic(node.args[0], texts)
    elif isinstance(node, ast.BinOp) and not isinstance(node.op, ast.MatMult):
        _check_power(node, texts)
        _check_arithmetic(node.left, texts)
        _check_arithmetic(node.right, texts)
    else:
        raise InputError(f"cannot read {ast.unparse(node).replace('@', ':')!r}", "use + - * / ** in arithmetic")


def _check_power(node: ast.BinOp, texts: frozenset[str]) -> None:
    """Refuse powers that could take for ever: whole numbers alone, and high exponents."""
    if not isinstance(node.op, ast.Pow):
        return
    exponent = node.right.operand if isinstance(node.right, ast.UnaryOp) else node.right
    if not _names_in(node.left) and not _names_in(node.right):
        raise InputError(f"{ast.unparse(node)!r} is a number", "write it out")
    if isinstance(exponent, ast.Constant) and not float(str(exponent.value)) <= _HIGHEST:
        raise InputError(f"the power {exponent.value!r} is too high", f"use at most {_HIGHEST}")
