"""Software stacks: framework, version, CUDA, memory layout, eager or compiled; and which is the newest for a card."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from perfmodel.errors import InputError
from perfmodel.hardware.precision import CPU_ARCH

if TYPE_CHECKING:
    from perfmodel.hardware.spec import Gpu

ERAS = ("torch7", "caffe2", "tf1", "tf2", "pytorch0", "pytorch1", "pytorch2", "jax", "other")
"""Classes of stacks that behave alike; the fallback where a version was never measured."""


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A software stack in canonical form.

    Attributes
    ----------
    framework : str
        ``pytorch, tensorflow, torch7, caffe2, jax, mxnet, onnxruntime, tensorrt`` or ``other``.
    version : tuple of int
        Such as (2, 4, 0); empty where not stated.
    cuda : tuple of int
        Such as (12, 4); empty where not stated.
    layout : str
        Memory layout of images, ``nchw`` or ``nhwc``.
    compiled : bool
        A compiler fuses operators (torch.compile, XLA) instead of eager execution.
    fused_attention : bool
        Attention runs as one kernel.
    scripts : str
        Where the numbers come from when not plain framework code, such as ``ngc`` containers; else empty.
    """

    framework: str = "pytorch"
    version: tuple[int, ...] = ()
    cuda: tuple[int, ...] = ()
    layout: str = "nchw"
    compiled: bool = False
    fused_attention: bool = False
    scripts: str = ""

    @property
    def era(self) -> str:
        """The class of stacks that this one belongs to, one of `ERAS`."""
        major = self.version[0] if self.version else None
        if self.framework == "pytorch":
            if major is None:
                major = 1 if self.scripts == "ngc" and not self.compiled else 2
            return f"pytorch{min(major, 2)}"
        if self.framework == "tensorflow":
            return "tf1" if major in (0, 1) or (major is None and self.scripts == "ngc") else "tf2"
        return self.framework if self.framework in ERAS else "other"

    @property
    def label(self) -> str:
        """One short line, such as ``pytorch 2.9 cuda 12.8 nhwc compiled``."""
        parts = [self.framework, ".".join(map(str, self.version))]
        parts += [f"cuda {'.'.join(map(str, self.cuda))}" if self.cuda else "", self.layout]
        return " ".join(p for p in [*parts, "compiled" if self.compiled else "eager"] if p)


_FRAMEWORKS = (
    ("torch7", r"torch\W?7|lua"),
    ("caffe2", r"caffe\W?2"),
    ("tensorrt", r"tensorrt|\btrt\b"),
    ("onnxruntime", r"onnx"),
    ("jax", r"\bjax\b|\bflax\b"),
    ("mxnet", r"mxnet|gluon"),
    ("tensorflow", r"tensorflow|\btf\b|\btf[12]|keras"),
    ("pytorch", r"torch|transformers|timm|lightning"),
)
# Framework inside the containers of NVIDIA's registry, by year (release notes of each year's last containers).
_CONTAINER_PYTORCH = {18: (1, 0), 19: (1, 4), 20: (1, 8), 21: (1, 11), 22: (1, 13), 23: (2, 2), 24: (2, 5), 25: (2, 9)}
_CONTAINER_CUDA = {
    18: (10, 0),
    19: (10, 2),
    20: (11, 1),
    21: (11, 5),
    22: (11, 8),
    23: (12, 3),
    24: (12, 6),
    25: (13, 0),
}
_COMPILED = re.compile(r"compile|inductor|\bxla\b|dynamo|\bjit\b|tensorrt|aot")
_NOT_COMPILED = re.compile(r"^(?:eager|no|none|false|0|off|nan|)$|\b(?:no|not|without)\b")


def read_stack(
    framework: object, framework_version: object = "", layout: object = "", compiled: object = "", *, hints: object = ""
) -> Stack:
    """Read a stack from a row's own words; empty, None or NaN say nothing.

    `hints` is further text that may speak of a compiler, such as a column title ``Throughput - TF32 + XLA``.
    """
    return _read(*(_text(v) for v in (framework, framework_version, layout, compiled, hints)))


def _text(value: object) -> str:
    return "" if value is None or value != value else str(value).strip().lower()


@lru_cache(maxsize=4096)
def _read(framework: str, version: str, layout: str, compiled: str, hints: str) -> Stack:
    name = next((n for n, pattern in _FRAMEWORKS if re.search(pattern, framework)), "other" if framework else "pytorch")
    number, cuda, scripts = _versions(name, framework, version)
    is_compiled = bool(_COMPILED.search(compiled)) or compiled in ("true", "yes", "1", "1.0")
    is_compiled = (is_compiled and not _NOT_COMPILED.search(compiled)) or bool(_COMPILED.search(hints))
    stack = Stack(
        framework=name,
        version=number,
        cuda=cuda,
        layout="nhwc" if re.search(r"nhwc|ndhwc|channels?[ _-]?last", layout) else "nchw",
        compiled=is_compiled,
        scripts=scripts,
    )
    return replace(stack, fused_attention=_fuses_attention(stack, framework))


def _versions(name: str, framework: str, version: str) -> tuple[tuple[int, ...], tuple[int, ...], str]:
    container = (
        re.search(r"\b(1[89]|2\d)\.(?:\d\d|xx)\b", version) if re.search(r"nvcr|ngc|container", version) else None
    )
    if container:
        year = int(container[1])
        number = _CONTAINER_PYTORCH.get(year, (2, 9)) if name == "pytorch" else _major_in(framework)
        return number, _CONTAINER_CUDA.get(year, (13, 0)), "ngc"
    scripts = "ngc" if re.search(r"nvcr|ngc|container", version) or "deeplearningexamples" in framework else ""
    if name == "torch7":
        return (7,), (), scripts
    cuda = re.search(r"\+?cu(?:da)?[ -]?(\d{1,2})\.?(\d)\b", version)
    found = re.match(r"\D{0,12}?v?(\d+(?:\.\d+)+|\d)\b", version)
    parsed = tuple(int(n) for n in found[1].split(".")) if found else _major_in(framework)
    return parsed, (int(cuda[1]), int(cuda[2])) if cuda else (), scripts


def _major_in(framework: str) -> tuple[int, ...]:
    match = re.search(r"(?:tensorflow|torch|tf)[ -]?([12])\b", framework)
    return (int(match[1]),) if match else ()


def _fuses_attention(stack: Stack, framework: str) -> bool:
    """PyTorch calls fused attention from 2.0 on; the transformers library does since it needs PyTorch 2.1.1 (4.36)."""
    if stack.framework != "pytorch" or stack.era != "pytorch2":
        return stack.framework == "tensorrt"
    return "transformers" not in framework or stack.version >= (2, 2) or not stack.version


def newest_stack(gpu: Gpu) -> Stack:
    """Return the newest stack known for a card.

    CUDA 13 begins with Turing; CUDA 12 is the last for Maxwell, Pascal and Volta; CUDA 11 for Kepler 3.5 and 3.7;
    CUDA 10.2 for Kepler 3.0 (release notes of the CUDA toolkits).
    """
    capability = gpu.compute_capability
    if gpu.arch == CPU_ARCH:
        return Stack(version=(2, 9), fused_attention=True)
    if capability < 3.5:
        return Stack(version=(1, 2), cuda=(10, 2))
    if capability < 5.0:
        return Stack(version=(2, 0), cuda=(11, 8))
    if capability < 7.5:
        return Stack(version=(2, 9), cuda=(12, 6), fused_attention=True)
    return Stack(version=(2, 9), cuda=(13, 0), fused_attention=True)


def completed(stack: Stack, gpu: Gpu) -> Stack:
    """Return a stack with what a row does not say (its version) taken from the newest stack of the card."""
    newest = newest_stack(gpu)
    if stack.version or stack.scripts or stack.framework != newest.framework:
        return stack
    return replace(stack, version=newest.version, cuda=newest.cuda, fused_attention=newest.fused_attention)


def parse_stack(text: str, gpu: Gpu) -> Stack:
    """Read a stack that a user names: ``newest``, or words such as ``pytorch 2.4 nhwc compiled cuda 12.4``.

    What is not said is taken from the newest stack of the card.

    Raises
    ------
    InputError
        When a word is not understood.
    """
    newest = newest_stack(gpu)
    lowered = text.strip().lower()
    if lowered in ("", "newest", "default", "latest"):
        return newest
    rest = lowered
    cuda = re.search(r"\b(?:cuda[ =-]?|cu)(\d{1,2})\.?(\d)\b", rest)
    rest = rest.replace(cuda[0], " ") if cuda else rest
    known = r"eager|compiled?|torch\.compile|xla|nhwc|nchw|channels[ _-]?last"
    options = " ".join(re.findall(known, rest))
    rest = re.sub(known, " ", rest)
    match = re.fullmatch(r"([a-z]+7?2?)?[ =:-]*v?(\d+(?:\.\d+)*)?", re.sub(r"[\s,+/]+", " ", rest).strip())
    framework = match[1] or "pytorch" if match else ""
    if match is None or not any(re.search(p, framework) for _, p in _FRAMEWORKS):
        raise InputError(
            f"stack {text!r} is not understood", "write newest, or words such as: pytorch 2.4 nhwc compiled"
        )
    stack = _read(framework, match[2] or "", options, options, "")
    same = stack.framework == newest.framework and not stack.version
    stack = replace(stack, version=newest.version if same else stack.version)
    stack = replace(stack, cuda=(int(cuda[1]), int(cuda[2])) if cuda else newest.cuda if same else ())
    return replace(stack, fused_attention=_fuses_attention(stack, framework))
