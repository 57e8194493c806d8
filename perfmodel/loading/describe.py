"""What the time model needs to know of a loader, read from a sample of its own files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perfmodel.hardware.host import Host
from perfmodel.loading.file_sample import describe_source
from perfmodel.loading.model import LoaderModel

if TYPE_CHECKING:
    from perfmodel.loading.loader import Loader

_PIPELINES = {"native": "native", "pillow": "pil", "cuda": "native"}
_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2, "uint8": 1}


def describe(loader: Loader, host: str | Host = "default") -> LoaderModel:
    """Return the time model of a loader: size, kind and spread from the headers of up to 200 files.

    Parameters
    ----------
    loader : Loader
    host : str or Host
        Where it shall run.
    """
    model = LoaderModel(
        pipeline=_PIPELINES[loader.backend],
        images=describe_source(loader.source, loader.pipeline),
        host=host,
        prefetch=loader.prefetch,
        out_bytes_per_value=_BYTES[loader.pipeline.dtype],
    )
    return model.transformed_on_gpu() if loader.backend == "cuda" else model
