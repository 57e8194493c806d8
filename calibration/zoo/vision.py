"""Classification CNNs by their torchvision definitions (torchvision is needed only to regenerate the zoo)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from perfmodel.calibration.zoo.shim import import_timm, import_torchvision
from perfmodel.graph.definition import Definition


def images(batch: int, size: int, *, channels: int = 3) -> Sequence[Any]:
    """One batch of square images."""
    import torch

    return [torch.empty(batch, channels, size, size)]


def _torchvision(function: str, **options: Any) -> Any:
    def build(size: int, blocks: int) -> Any:
        return getattr(import_torchvision().models, function)(weights=None, **options)

    return build


def _resnet(layers: tuple[int, ...], **options: Any) -> Any:
    def build(size: int, blocks: int) -> Any:
        resnet = import_torchvision().models.resnet
        return resnet.ResNet(resnet.Bottleneck, list(layers), **options)

    return build


_PLAIN = {
    "resnet": "resnet18 resnet34 resnet50 resnet101 resnet152",
    "resnext": "resnext50_32x4d resnext101_32x8d resnext101_64x4d",
    "wide_resnet": "wide_resnet50_2 wide_resnet101_2",
    "vgg": "vgg11 vgg11_bn vgg13 vgg13_bn vgg16 vgg16_bn vgg19 vgg19_bn",
    "alexnet": "alexnet",
    "densenet": "densenet121 densenet161 densenet169 densenet201",
    "mobilenet": "mobilenet_v2 mobilenet_v3_large mobilenet_v3_small",
    "mnasnet": "mnasnet0_5 mnasnet0_75 mnasnet1_0 mnasnet1_3",
    "squeezenet": "squeezenet1_0 squeezenet1_1",
    "shufflenet": "shufflenet_v2_x0_5 shufflenet_v2_x1_0 shufflenet_v2_x1_5 shufflenet_v2_x2_0",
    "convnext": "convnext_tiny convnext_small convnext_base convnext_large",
}
_EFFICIENTNET = {0: 224, 1: 240, 2: 288, 3: 300, 4: 380, 5: 456, 6: 528, 7: 600}


def _inception_loss(output: Any) -> Any:
    """Cross entropy of the main head and, at 0.4, of the auxiliary ones."""
    import torch

    heads = [output] if isinstance(output, torch.Tensor) else [head for head in output if head is not None]
    target = torch.empty(heads[0].shape[0], dtype=torch.long, device=heads[0].device)
    losses = [torch.nn.functional.cross_entropy(head, target) for head in heads]
    return losses[0] if len(losses) == 1 else losses[0] + sum(losses[1:]) * 0.4


def definitions() -> Iterator[Definition]:
    """Yield the definitions of this module."""
    for family, names in _PLAIN.items():
        for name in names.split():
            size = 224
            yield Definition(name=name, family=family, build=_torchvision(name), inputs=images, default_size=size)
    yield Definition(name="resnet200", family="resnet", build=_resnet((3, 24, 36, 3)), inputs=images)
    yield Definition(
        name="resnext101_32x4d",
        family="resnext",
        build=_resnet((3, 4, 23, 3), groups=32, width_per_group=4),
        inputs=images,
    )
    yield Definition(
        name="googlenet",
        family="googlenet",
        build=_torchvision("googlenet", init_weights=False, aux_logits=False),
        inputs=images,
    )
    yield Definition(
        name="inception_v3",
        family="inception",
        build=_torchvision("inception_v3", init_weights=False, aux_logits=True),
        inputs=images,
        default_size=299,
        size_step=96,
        loss=_inception_loss,
    )
    for number, size in _EFFICIENTNET.items():
        name = f"efficientnet_b{number}"
        yield Definition(name=name, family="efficientnet", build=_torchvision(name), inputs=images, default_size=size)
    for letter, size in {"s": 384, "m": 480, "l": 480}.items():
        name = f"efficientnet_v2_{letter}"
        yield Definition(name=name, family="efficientnet", build=_torchvision(name), inputs=images, default_size=size)
    yield from _timm_definitions()


def _timm_definitions() -> Iterator[Definition]:
    """Networks that timm has and torchvision lacks, or that take the image size as an argument there."""
    for name in ("vit_tiny", "vit_small", "vit_base", "vit_large"):
        yield Definition(
            name=f"{name}_patch16_224",
            family="vit",
            build=_timm(f"{name}_patch16_224", sized=True),
            inputs=images,
            size_step=16,
            degree=4,
            points=(0, 1, 2, 3, 4, 5),
            attentions=("fused", "unfused"),
            optimizer="adamw",
        )
    for name in ("swin_tiny", "swin_small", "swin_base"):
        yield Definition(
            name=f"{name}_patch4_window7_224",
            family="swin",
            build=_timm(f"{name}_patch4_window7_224", sized=True),
            inputs=images,
            size_step=0,
            degree=0,
            points=(0,),
            attentions=("fused", "unfused"),
            optimizer="adamw",
        )
    for name in ("seresnext50_32x4d", "seresnext101_32x4d"):
        yield Definition(name=name, family="resnext", build=_timm(name), inputs=images)
    yield Definition(
        name="inception_v4", family="inception", build=_timm("inception_v4"), inputs=images, default_size=299
    )


def _timm(name: str, *, sized: bool = False) -> Any:
    def build(size: int, blocks: int) -> Any:
        return import_timm().create_model(name, **({"img_size": size} if sized else {}))

    return build
