"""Formulas: what is read, and that nothing else is."""

from __future__ import annotations

import pytest

from perfmodel.errors import InputError
from perfmodel.regression.formula import is_formula, parse

COLUMNS = ["step_ms", "cores", "bandwidth", "blocks", "batch", "precision", "gpu", "my column"]
WORDS = ["precision", "gpu"]


@pytest.mark.parametrize(
    ("text", "right", "names"),
    [
        ("log(step_ms) ~ log(cores) + blocks", "log(cores) + blocks", ("cores", "blocks")),
        ("latency_ms ~ log(cuda_cores)*precision", "log(cores) * precision", ("cores", "precision")),
        ("step_ms ~ I(1/bandwidth_gbs)+C(blocks)", "I(1 / bandwidth) + C(blocks)", ("bandwidth", "blocks")),
        ("step_ms ~ 1", "1", ()),
        ("step_ms ~ 0 + log(cores):gpu", "0 + log(cores):gpu", ("cores", "gpu")),
        ("step_ms ~ (cores + blocks + batch)**2 - 1", "(cores + blocks + batch)**2 - 1", ("cores", "blocks", "batch")),
        ('step_ms ~ Q("my column")', 'Q("my column")', ("my column",)),
    ],
)
def test_linear(text: str, right: str, names: tuple[str, ...]) -> None:
    found = parse(text, COLUMNS, words=WORDS)
    assert (found.right, found.names, found.nonlinear) == (right, names, False)
    assert parse(found.text, COLUMNS, words=WORDS) == found


def test_a_law() -> None:
    found = parse("log(step_ms) = a + b * blocks / cores ** c", COLUMNS, words=WORDS)
    assert found.nonlinear
    assert found.parameters == ("a", "b", "c")
    assert found.names == ("blocks", "cores")
    assert (found.response, found.measured, found.transform) == ("log(step_ms)", "step_ms", "log")


@pytest.mark.parametrize("text", ["a ~ b", "t = a"])
def test_a_formula_has_a_sign(text: str) -> None:
    assert is_formula(text)
    assert not is_formula("training-time")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("step_ms ~ log(cors)", "unknown variable 'cors'.*near names: cores.*variables: step_ms"),
        ("stepms ~ cores", "unknown variable 'stepms'.*near names: step_ms"),
        ("step_ms ~ log(cores", "cannot read"),
        ("step_ms ~", "is no formula"),
        ("step_ms ~ cores ~ blocks", "is no formula"),
        ("step_ms ~ cores + step_ms", "both sides"),
        ("step_ms ~ 1/cores", r"write I\(1 / cores\)"),
        ("step_ms ~ 2*cores", r"write I\(2 \* cores\)"),
        ("step_ms ~ cores + 3", "is no term"),
        ("step_ms ~ cores**2", r"write I\(cores \*\* 2\)"),
        ("step_ms ~ log(gpu)", "gpu holds text"),
        ("step_ms ~ blocks + C(blocks)", "cannot be told apart"),
        ("step_ms ~ C(log(blocks))", "C takes one variable"),
        ("sin(step_ms) ~ cores", "left-hand side"),
        ("step_ms = a + C(blocks)", r"may not hold C"),
        ("step_ms = a * gpu", "gpu holds text"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        parse(text, COLUMNS, words=WORDS)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "right",
    [
        "__import__('os').system('touch /tmp/x')",
        "().__class__",
        "log.__globals__",
        "open('x')",
        "exec('1')",
        "eval('1')",
        "np.log(cores)",
        "cores[0]",
        "[cores for cores in blocks]",
        "lambda: 1",
        "C(blocks, Sum)",
        "log(cores, out=blocks)",
        "cores if blocks else batch",
        "I(9**9**9**9)",
        "I(9.0 ** 9.0)",
        "I(cores ** 99)",
        'Q("cores" "; import os")',
        "`cores`",
        "cores; import os",
        "cores and blocks",
        "{cores}",
        "I(cores @ blocks)",
        "bs(cores, df=3)",
        "f'{cores}'",
        "cores := 3",
    ],
)
@pytest.mark.parametrize("sign", ["~", "="])
def test_nothing_but_a_formula_gets_through(right: str, sign: str) -> None:
    with pytest.raises(InputError):
        parse(f"step_ms {sign} {right}", COLUMNS, words=WORDS)


@pytest.mark.parametrize(
    "right",
    [
        " + ".join(["cores"] * 400),
        "(" * 50 + "cores" + ")" * 50,
        "(cores + blocks + batch + bandwidth + gpu + precision)**3 * (cores + blocks + batch + bandwidth)**3",
    ],
)
def test_what_would_never_end_is_refused(right: str) -> None:
    with pytest.raises(InputError):
        parse(f"step_ms ~ {right}", COLUMNS, words=WORDS)
