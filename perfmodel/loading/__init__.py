"""The time model of data loading."""

from __future__ import annotations

from perfmodel.loading.model import LoaderModel, LoadingStep, WorkerAdvice, recommend_workers, step_with_loading
from perfmodel.loading.pipelines import IMAGE_SETS, PIPELINES, ImageSet, Pipeline, find_image_set, find_pipeline

__all__ = [
    "IMAGE_SETS",
    "PIPELINES",
    "ImageSet",
    "LoaderModel",
    "LoadingStep",
    "Pipeline",
    "WorkerAdvice",
    "find_image_set",
    "find_pipeline",
    "recommend_workers",
    "step_with_loading",
]
