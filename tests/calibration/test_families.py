"""Coarse families: networks that resemble each other are left out together."""

from __future__ import annotations

import pytest

from perfmodel.calibration.families import coarse_family
from perfmodel.graph.catalogue import load, names


@pytest.mark.parametrize(
    ("family", "coarse"),
    [
        ("resnet", "resnet"), ("wide_resnet", "resnet"), ("seresnet", "resnet"), ("regnet", "resnet"),
        ("resnext", "resnext"), ("seresnext", "resnext"), ("vgg", "vgg"), ("alexnet", "vgg"),
        ("tf_efficientnet", "mobile"), ("mobilenetv3", "mobile"), ("shufflenet", "mobile"), ("tf", "mobile"),
        ("mobilevit", "mobile-vit"), ("efficientvit", "mobile-vit"), ("ghostnet", "mobile-vit"),
        ("inception", "inception"), ("googlenet", "inception"), ("densenet", "densenet"), ("bert", "bert"),
        ("gpt", "decoder"), ("opt", "decoder"), ("vit", "vit"), ("swin", "vit"), ("convnext", "vit"),
        ("mixer", "mlp"), ("resmlp", "mlp"), ("hrnet", "darknet"),
    ],
)  # fmt: skip
def test_known_families(family: str, coarse: str) -> None:
    assert coarse_family(family) == coarse


@pytest.mark.parametrize("family", ["cyclegan", "pilotnet", "unheard of", ""])
def test_other_families_are_left_out_together(family: str) -> None:
    assert coarse_family(family) == "other"


def test_relatives_in_the_catalogue_share_a_coarse_family() -> None:
    for first, second in (("resnet18", "resnet152"), ("vgg11", "vgg19"), ("bert_base", "bert_large")):
        if {first, second} <= set(names()):
            assert coarse_family(load(first).family) == coarse_family(load(second).family)
    assert coarse_family(load("resnet50").family) != coarse_family(load("vgg16").family)
