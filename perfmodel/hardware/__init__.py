"""Specifications of GPUs and hosts, and what is in this machine."""

from __future__ import annotations

from perfmodel.hardware.gpu import Gpu, find_gpu, gpus
from perfmodel.hardware.host import Host, find_host, hosts, local_host
from perfmodel.hardware.precision import PRECISIONS, canonical_precision, resolve_precision

__all__ = [
    "PRECISIONS",
    "Gpu",
    "Host",
    "canonical_precision",
    "find_gpu",
    "find_host",
    "gpus",
    "hosts",
    "local_host",
    "resolve_precision",
]
