"""Options that `predict` and `compare` share, and how their values are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from perfmodel.errors import InputError

if TYPE_CHECKING:
    IntegerType = click.ParamType[int]
    IntegersType = click.ParamType[tuple[int, ...]]
    NamesType = click.ParamType[tuple[str, ...]]
else:  # not generic at run time in older versions
    IntegerType = IntegersType = NamesType = click.ParamType

Function = TypeVar("Function", bound=Callable[..., Any])

#: Options that go to the library under their own names.
_SHARED = ("gpus", "timing", "mode", "stack", "optimizer", "accumulate", "host", "loader", "workers", "dataset_size",
           "campaign")  # fmt: skip


def option_label(param: click.Parameter | None) -> str:
    """Name of an option as a user writes it."""
    return f"--{param.name.replace('_', '-')}" if param is not None and param.name else "the value"


def whole_number(text: Any, label: str, least: int) -> int:
    """Read a whole number of at least `least`.

    Raises
    ------
    InputError
        When it is none.
    """
    try:
        number = int(text)
    except (TypeError, ValueError):
        raise InputError(f"{label} must be a whole number, not {text!r}", f"give {least} or more") from None
    if number < least:
        raise InputError(f"{label} must be at least {least}, not {number}", f"give {least} or more")
    return number


class WholeNumber(IntegerType):
    """A whole number of at least a minimum, with one clear line otherwise."""

    name = "integer"

    def __init__(self, least: int = 1) -> None:
        self.least = least

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read the number."""
        return whole_number(value, option_label(param), self.least)


class WholeNumbers(IntegersType):
    """Whole numbers: ``4``, a list ``1,2,4``, a range ``3:9`` (both ends) or ``2:16:2``, or several of these."""

    name = "list"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """Read the numbers, in the order given, each once."""
        if isinstance(value, tuple):
            return value
        label = option_label(param)
        found: dict[int, None] = {}
        for part in str(value).split(","):
            found.update(dict.fromkeys(self._range(part.strip(), label)))
        return tuple(found)

    def _range(self, text: str, label: str) -> range:
        ends = [whole_number(piece, label, 1) for piece in text.split(":")]
        if len(ends) == 1:
            return range(ends[0], ends[0] + 1)
        if len(ends) > 3 or ends[1] < ends[0]:
            raise InputError(f"{label} {text} is no range", "write first:last or first:last:step, such as 3:9")
        if ends[1] - ends[0] >= 1_000_000 * (ends[2] if len(ends) == 3 else 1):
            raise InputError(f"{label} {text} has more than a million values", "give a larger step, as 1:1000000:1000")
        return range(ends[0], ends[1] + 1, ends[2] if len(ends) == 3 else 1)


class Names(NamesType):
    """Names separated by commas."""

    name = "list"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Split the list; an empty one is an error."""
        if isinstance(value, tuple):
            return value
        found = tuple(dict.fromkeys(part.strip() for part in str(value).split(",") if part.strip()))
        if not found:
            raise InputError(f"{option_label(param)} names nothing", "give one or more names, separated by commas")
        return found


def common_options(function: Function) -> Function:
    """Add the options that predict and compare share."""
    options = [
        click.option("--workload", default=None, help="Shipped workload: cyclegan (default), pilotnet, dmnet_cnn, ..."),
        click.option("--model", default=None, help="Zoo name, timm:NAME, or package.module:function."),
        click.option("--totals", default=None, help="params=..,gmacs=..,macts=.. (millions, 10^9, millions)."),
        click.option(
            "--gpus", type=WholeNumber(), default=1, show_default=True, help="Cards that train data-parallel."
        ),
        click.option("--image-size", type=WholeNumber(), default=None, help="Side of a square image."),
        click.option("--seq-len", type=WholeNumber(), default=None, help="Sequence length."),
        click.option("--mode", type=click.Choice(["train", "infer"]), default="train", show_default=True, help="Step."),
        click.option("--stack", default="newest", show_default=True, help="Such as 'pytorch 2.4 nhwc compiled'."),
        click.option("--optimizer", default="default", help="adam, adamw, sgd, ... (_fused, _loop)."),
        click.option("--accumulate", type=WholeNumber(), default=1, help="Micro-batches before a weight update."),
        click.option("--checkpoint-activations", is_flag=True, help="Recompute activations in the backward pass."),
        click.option(
            "--timing", default=None, help="Timed region in words, as tables state it ('forward + backward')."
        ),
        click.option("--campaign", default="", help="Measuring campaign (a table's source) whose habits apply."),
        click.option("--host", default="default", show_default=True, help="default, laptop, server, colab, local, ..."),
        click.option("--loader", default="torch", show_default=True, help="torch, native, opencv, grain, none."),
        click.option("--workers", type=WholeNumber(0), default=4, show_default=True, help="Loader processes a card."),
        click.option("--dataset-size", type=WholeNumber(), default=None, help="Samples of an epoch."),
        click.option("--ci", type=float, default=0.9, show_default=True, help="Coverage of the interval."),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def shared_options(values: Mapping[str, Any]) -> dict[str, Any]:
    """Keyword arguments of the library that predict and compare share."""
    if values["image_size"] is not None and values["seq_len"] is not None:
        raise InputError("--image-size and --seq-len exclude each other", "give the one the network has")
    size = values["image_size"] if values["image_size"] is not None else values["seq_len"]
    return {
        **{name: values[name] for name in _SHARED},
        "size": size,
        "coverage": values["ci"],
        "checkpoint": values["checkpoint_activations"],
        "resolved": "graph" if values["totals"] is None else "totals",
    }


def read_profile(path: str | None) -> Any:
    """Read the profile that ``--profile`` names; None without one."""
    if path is None:
        return None
    from perfmodel.efficiency.profile import load_profile

    return load_profile(path)
