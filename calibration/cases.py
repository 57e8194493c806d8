"""What is measured: one operator with its shape, precision and layout, and the work that it is.

The view of an operator is that of the operator graph: ``b`` independent products of an m x k with a k x n matrix for
products, convolutions and attention; independent ``rows`` of ``cols`` elements for everything that moves bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

BYTES = {"fp64": 8, "fp32": 4, "tf32": 4, "fp16": 2, "bf16": 2, "fp8": 1, "int8": 1}
OUTPUT_BYTES = {**BYTES, "fp8": 2, "int8": 4}

Shape = tuple[tuple[str, int], ...]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One operator to time.

    Parameters
    ----------
    op : str
        Name of the operation, such as ``linear``, ``conv2d`` or ``adam_fused``.
    kind : str
        Kind in the operator graph: ``gemm``, ``conv``, ``attention``, ``norm``, ``softmax``, ``elementwise``,
        ``reduce``, ``copy``, ``pool``, ``embedding`` or ``optimizer``.
    pass_ : str
        ``fwd``, ``dgrad`` or ``wgrad``; the whole backward pass of an operator that has one kernel for it is ``dgrad``.
    precision : str
        ``fp32``, ``tf32``, ``fp16``, ``bf16``, ``fp8`` or ``int8``: of the inputs; products of fp8 are written as bf16,
        those of int8 as int32.
    shape : tuple of (str, int)
        The operation's own dimensions, by name.
    layout : str
        ``contiguous`` or ``channels_last``.
    b, m, n, k : int
        View as products; 0 for operators that move bytes.
    rows, cols : int
        View as rows; 0 for products.
    window, stride, groups : int
        Of a convolution or pool: R x S, stride, groups; 0 otherwise.
    flops : float
        Operations, 2 per multiply-add; elements for operators that move bytes.
    read_bytes, write_bytes : float
        Bytes of all inputs, each once, and of all outputs.
    """

    op: str
    kind: str
    pass_: str
    precision: str
    shape: Shape
    layout: str = "contiguous"
    b: int = 0
    m: int = 0
    n: int = 0
    k: int = 0
    rows: int = 0
    cols: int = 0
    window: int = 0
    stride: int = 0
    groups: int = 0
    flops: float = 0.0
    read_bytes: float = 0.0
    write_bytes: float = 0.0

    @property
    def key(self) -> str:
        """Text that names this case and no other; measurements are resumed by it."""
        return "|".join((self.op, self.pass_, self.precision, self.layout, self.shape_text))

    @property
    def shape_text(self) -> str:
        """The shape as ``name=value`` words."""
        return " ".join(f"{name}={value}" for name, value in self.shape)

    def dim(self, name: str) -> int:
        """One dimension of the shape."""
        return dict(self.shape)[name]


def product(op: str, pass_: str, precision: str, *, m: int, n: int, k: int, b: int = 1) -> Case:
    """A matrix product of a layer with k inputs and n outputs over m rows, ``b`` times (``linear`` or ``bmm``).

    The shape names the layer's own m, n, k; the view is that of the pass's product: the data gradient is m x n by
    n x k, the weight gradient n x m by m x k.
    """
    view = {"fwd": (m, n, k), "dgrad": (m, k, n), "wgrad": (n, k, m)}[pass_]
    size, out = BYTES[precision], OUTPUT_BYTES[precision]
    return Case(
        op=op,
        kind="gemm",
        pass_=pass_,
        precision=precision,
        shape=(("b", b), ("m", m), ("n", n), ("k", k)),
        b=b,
        m=view[0],
        n=view[1],
        k=view[2],
        flops=2.0 * b * m * n * k,
        read_bytes=float(size) * b * (view[0] * view[2] + view[2] * view[1]),
        write_bytes=float(out) * b * view[0] * view[1],
    )


@dataclass(frozen=True, kw_only=True)
class Conv:
    """A two-dimensional convolution of a square input; ``cin`` and ``cout`` are channels in and out."""

    batch: int
    cin: int
    size: int
    cout: int
    window: int
    stride: int = 1
    padding: int = 0
    groups: int = 1

    @property
    def out_size(self) -> int:
        """Extent of the square output."""
        return (self.size + 2 * self.padding - self.window) // self.stride + 1

    @property
    def flops(self) -> float:
        """Operations of the direct convolution; equal for all three passes."""
        taps = self.window**2 * self.cin // self.groups
        return 2.0 * self.batch * self.out_size**2 * self.cout * taps


def convolution(conv: Conv, pass_: str, precision: str, layout: str = "contiguous") -> Case:
    """One pass of a convolution, seen as an implicit product."""
    pixels, in_pixels = conv.batch * conv.out_size**2, conv.batch * conv.size**2
    cin, cout, taps = conv.cin // conv.groups, conv.cout // conv.groups, conv.window**2
    view = {
        "fwd": (pixels, cout, cin * taps),
        "dgrad": (in_pixels, cin, cout * taps),
        "wgrad": (cout, cin * taps, pixels),
    }[pass_]
    x, y = in_pixels * conv.cin, pixels * conv.cout
    w = conv.cout * cin * taps
    moved = {"fwd": (x + w, y), "dgrad": (y + w, x), "wgrad": (x + y, w)}[pass_]
    size = BYTES[precision]
    return Case(
        op="conv2d",
        kind="conv",
        pass_=pass_,
        precision=precision,
        layout=layout,
        shape=(
            ("batch", conv.batch),
            ("cin", conv.cin),
            ("size", conv.size),
            ("cout", conv.cout),
            ("window", conv.window),
            ("stride", conv.stride),
            ("padding", conv.padding),
            ("groups", conv.groups),
        ),
        b=conv.groups,
        m=view[0],
        n=view[1],
        k=view[2],
        window=taps,
        stride=conv.stride,
        groups=conv.groups,
        flops=conv.flops,
        read_bytes=float(size * moved[0]),
        write_bytes=float(size * moved[1]),
    )


def attention(op: str, pass_: str, precision: str, *, batch: int, heads: int, seq: int, dim: int, causal: int) -> Case:
    """Scaled dot-product attention; the view is its first product, the operations those of all its products.

    The backward pass counts five products to the forward's two (one is computed again); a causal mask counts half.
    """
    share = (0.5 if causal else 1.0) * (1.0 if pass_ == "fwd" else 2.5)
    tensor = float(BYTES[precision]) * batch * heads * seq * dim
    read, write = (3.0, 1.0) if pass_ == "fwd" else (5.0, 3.0)
    return Case(
        op=op,
        kind="attention",
        pass_=pass_,
        precision=precision,
        shape=(("batch", batch), ("heads", heads), ("seq", seq), ("dim", dim), ("causal", causal)),
        b=batch * heads,
        m=seq,
        n=seq,
        k=dim,
        rows=batch * heads * seq,
        cols=seq,
        flops=4.0 * batch * heads * seq * seq * dim * share,
        read_bytes=read * tensor,
        write_bytes=write * tensor,
    )


def rowwise(op: str, kind: str, pass_: str, precision: str, *, rows: int, cols: int, shape: Shape = ()) -> Case:
    """Normalisation or softmax over rows: forward reads and writes once, backward reads twice and writes once."""
    elements = float(rows) * cols
    size = BYTES[precision]
    return Case(
        op=op,
        kind=kind,
        pass_=pass_,
        precision=precision,
        shape=shape or (("rows", rows), ("cols", cols)),
        rows=rows,
        cols=cols,
        flops=elements,
        read_bytes=elements * size * (1 if pass_ == "fwd" else 2),
        write_bytes=elements * size,
    )


def elementwise(
    op: str, kind: str, pass_: str, precision: str, *, numel: int, inputs: float, outputs: float = 1.0
) -> Case:
    """An operation over ``numel`` elements that reads ``inputs`` and writes ``outputs`` tensors of that size.

    Parameters
    ----------
    inputs, outputs : float
        May be fractions: a cast from fp16 to fp32 writes two tensors' worth, a sum writes next to nothing.
    """
    size = BYTES[precision]
    return Case(
        op=op,
        kind=kind,
        pass_=pass_,
        precision=precision,
        shape=(("numel", numel),),
        rows=numel if kind != "reduce" else 1,
        cols=1 if kind != "reduce" else numel,
        flops=float(numel),
        read_bytes=inputs * size * numel,
        write_bytes=outputs * size * numel,
    )


def optimizer(op: str, *, tensors: int, numel: int) -> Case:
    """One step of an optimizer over ``tensors`` parameters of ``numel`` elements each, in fp32.

    Adam reads parameter, gradient and two moments and writes all but the gradient; SGD with momentum has one moment.
    """
    moments = 2 if op.startswith("adam") else 1
    elements = float(tensors) * numel
    return Case(
        op=op,
        kind="optimizer",
        pass_="fwd",
        precision="fp32",
        shape=(("tensors", tensors), ("numel", numel)),
        rows=tensors * numel,
        cols=1,
        flops=elements,
        read_bytes=4.0 * elements * (2 + moments),
        write_bytes=4.0 * elements * (1 + moments),
    )


def overhead(op: str) -> Case:
    """An operation on so little data that only the cost of calling it is left."""
    return Case(op=op, kind="other", pass_="fwd", precision="fp32", shape=(("numel", 1),), rows=1, cols=1)
