"""One GPU: its published specification and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from perfmodel.hardware import clocks, precision
from perfmodel.hardware.precision import CPU_ARCH as CPU_ARCH


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """Specification of one GPU, as one die unless `dies` says otherwise.

    Attributes
    ----------
    key : str
        Name used by this package, such as ``"p100-pcie-16"``.
    name : str
        Name as the maker prints it.
    chip, arch : str
        Chip (``"GP100"``) and generation (``"Pascal"``).
    compute_capability : float
        Such as 7.0.
    sm, cuda_cores, tensor_cores : int
        Multiprocessors, fp32 lanes, tensor cores.
    base_mhz, boost_mhz : float
        Core clocks of the data sheet, MHz.
    memory_gb, memory_type, memory_bus_bits, bandwidth_gbs, memory_mhz
        Device memory: GB, type, bus width in bits, GB/s of the data sheet, clock in MHz (None where not published).
    l2_mb, l1_kb_per_sm, smem_kb_per_sm : float
        L2 in MB; L1 (with shared memory where they are one) and the most shared memory an SM gives out, KB.
    regs_per_sm, max_threads_per_sm : int
        32-bit registers and resident threads of an SM.
    tdp_w : float
        Power limit, W; of a board with two dies each die has half.
    bus, pcie_gen, pcie_lanes
        Link to the host.
    nvlink_gbs : float or None
        NVLink bandwidth of the card, both directions together, GB/s; None where there is none.
    nvlink_bridge : bool
        NVLink needs a bridge between two cards, so it is not assumed to be there.
    release : str
        Date of release, ISO 8601.
    dies, dies_per_board : int
        Dies counted in this row, and on the board.
    peaks_tflops : mapping of str to float
        Dense peaks at the boost clock, TFLOP/s (TOP/s for int8), under ``fp64, fp32, fp16, fp16_cuda, bf16, tf32,
        int8, fp8``. ``fp16`` is the best usable 16-bit rate with fp32 accumulation (GeForce tensor cores run that at
        half rate); a key that is absent is a precision the card lacks.
    source, note : str
        Where the figures come from, and what is special about them.
    origin : str
        ``"shipped"``, ``"user"`` (a user's own file) or ``"driver"`` (read from this machine).
    """

    key: str
    name: str
    chip: str
    arch: str
    compute_capability: float
    sm: int
    cuda_cores: int
    tensor_cores: int
    base_mhz: float
    boost_mhz: float
    memory_gb: float
    memory_type: str
    memory_bus_bits: int
    bandwidth_gbs: float
    memory_mhz: float | None = None
    l2_mb: float
    l1_kb_per_sm: float
    smem_kb_per_sm: float
    regs_per_sm: int
    max_threads_per_sm: int
    tdp_w: float
    bus: str
    pcie_gen: int | None = None
    pcie_lanes: int | None = None
    nvlink_gbs: float | None = None
    nvlink_bridge: bool = False
    release: str = ""
    dies: int = 1
    dies_per_board: int = 1
    peaks_tflops: Mapping[str, float] = field(hash=False)
    source: str
    note: str = ""
    origin: str = "shipped"

    def __hash__(self) -> int:
        """Hash by identity of the card; equality compares every figure."""
        return hash((self.key, self.dies, self.origin))

    def supports(self, name: str) -> bool:
        """Whether the card computes in this precision (any spelling that `canonical_precision` reads)."""
        return precision.peak_key(precision.canonical_precision(name), self) in self.peaks_tflops

    def peak_tflops(self, name: str) -> float:
        """Dense peak in a precision at the boost clock, TFLOP/s.

        Raises
        ------
        PrecisionError
            When the precision is unknown or the card lacks it.
        """
        return self.peaks_tflops[precision.peak_key(precision.resolve_precision(name, self), self)]

    @cached_property
    def half_compute(self) -> str:
        """What 16-bit products run on: ``"tensor"`` cores, the ``"fp16"`` rate of the CUDA cores, or ``"fp32"``.

        ``"fp32"`` means that the card's own 16-bit rate is useless (1/64 of fp32, or none), so that libraries keep
        16-bit storage and compute in fp32.
        """
        if self.tensor_cores:
            return "tensor"
        return "fp16" if self.peaks_tflops.get("fp16_cuda", 0.0) > self.peaks_tflops["fp32"] else "fp32"

    @cached_property
    def sustained_mhz(self) -> float:
        """Clock that the card keeps under a long load, MHz: an estimate from power and clocks (see `clocks`)."""
        return clocks.sustained_mhz(
            base_mhz=self.base_mhz,
            boost_mhz=self.boost_mhz,
            tdp_w=self.tdp_w,
            fp32_tflops=self.peaks_tflops["fp32"],
            arch=self.arch,
            compute_capability=self.compute_capability,
        )

    @property
    def form(self) -> str:
        """What the card is sold for: ``laptop``, ``desktop``, ``workstation``, ``data-centre`` or ``embedded``."""
        name = self.name.lower()
        if "jetson" in name:
            return "embedded"
        if "pro 6000" in name or "quadro" in name or name.startswith(("rtx a", "rtx 6000")):
            return "workstation"
        if "mobile" in name or "max-q" in name or "laptop" in name:
            return "laptop"
        return "desktop" if name.startswith(("geforce", "titan")) else "data-centre"

    @property
    def peer_to_peer(self) -> bool:
        """Whether two such cards copy to each other over PCIe without going through host memory.

        NVIDIA's driver offers that on data-centre and workstation cards, and on GeForce and TITAN cards only up to
        Pascal and Volta.
        """
        return self.form not in ("desktop", "laptop", "embedded") or self.compute_capability < 7.5

    def board(self) -> Gpu:
        """Return the whole board of a card with several dies: everything that adds up, added up."""
        if self.dies_per_board == 1 or self.dies > 1:
            return self
        n = self.dies_per_board
        return replace(
            self,
            key=f"{self.key}-board",
            name=f"{self.name} (board, {n} dies)",
            dies=n,
            sm=n * self.sm,
            cuda_cores=n * self.cuda_cores,
            tensor_cores=n * self.tensor_cores,
            memory_gb=n * self.memory_gb,
            memory_bus_bits=n * self.memory_bus_bits,
            bandwidth_gbs=n * self.bandwidth_gbs,
            l2_mb=n * self.l2_mb,
            tdp_w=n * self.tdp_w,
            peaks_tflops={k: n * v for k, v in self.peaks_tflops.items()},
        )
