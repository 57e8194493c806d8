"""Loading images fast, and the time model of data loading.

The names of the loader are imported when they are first used: predictions need only the model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from perfmodel.lazy import importer
from perfmodel.loading.model import LoaderModel, LoadingStep, WorkerAdvice, recommend_workers, step_with_loading
from perfmodel.loading.pipelines import IMAGE_SETS, PIPELINES, ImageSet, Pipeline, find_image_set, find_pipeline

if TYPE_CHECKING:
    from perfmodel.loading.files import Files as Files
    from perfmodel.loading.files import FilesBelow as FilesBelow
    from perfmodel.loading.files import FolderFiles as FolderFiles
    from perfmodel.loading.files import ZipFiles as ZipFiles
    from perfmodel.loading.loader import Loader as Loader
    from perfmodel.loading.packing import pack as pack
    from perfmodel.loading.shards import ShardFiles as ShardFiles
    from perfmodel.loading.sources import ImageFolder as ImageFolder
    from perfmodel.loading.sources import MultiFile as MultiFile
    from perfmodel.loading.sources import PairedFolders as PairedFolders
    from perfmodel.loading.sources import ShardSource as ShardSource
    from perfmodel.loading.sources import Source as Source
    from perfmodel.loading.sources import UnpairedFolders as UnpairedFolders
    from perfmodel.loading.sources import ZipSource as ZipSource
    from perfmodel.loading.transforms import TRANSFORMS as TRANSFORMS
    from perfmodel.loading.transforms import Channel as Channel
    from perfmodel.loading.transforms import Transform as Transform

_LAZY = {
    "Channel": "transforms",
    "Files": "files",
    "FilesBelow": "files",
    "FolderFiles": "files",
    "ImageFolder": "sources",
    "Loader": "loader",
    "MultiFile": "sources",
    "PairedFolders": "sources",
    "ShardFiles": "shards",
    "ShardSource": "sources",
    "Source": "sources",
    "TRANSFORMS": "transforms",
    "Transform": "transforms",
    "UnpairedFolders": "sources",
    "ZipFiles": "files",
    "ZipSource": "sources",
    "pack": "packing",
}

__all__ = [
    "IMAGE_SETS",
    "PIPELINES",
    "TRANSFORMS",
    "Channel",
    "Files",
    "FilesBelow",
    "FolderFiles",
    "ImageFolder",
    "ImageSet",
    "Loader",
    "LoaderModel",
    "LoadingStep",
    "MultiFile",
    "PairedFolders",
    "Pipeline",
    "ShardFiles",
    "ShardSource",
    "Source",
    "Transform",
    "UnpairedFolders",
    "WorkerAdvice",
    "ZipFiles",
    "ZipSource",
    "find_image_set",
    "find_pipeline",
    "pack",
    "recommend_workers",
    "step_with_loading",
]

__getattr__ = importer("perfmodel.loading", _LAZY)
