"""Detection, recommendation, segmentation and recurrent networks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from perfmodel.calibration.zoo.shim import import_torchvision
from perfmodel.calibration.zoo.vision import images
from perfmodel.graph.definition import Definition

USERS, ITEMS = 138_493, 26_744  # MovieLens 20M


class NeuMf(nn.Module):
    """Neural matrix factorisation (He et al. 2017) at the sizes of NVIDIA's NCF example for MovieLens 20M."""

    def __init__(self, factors: int = 64, layers: tuple[int, ...] = (256, 256, 128, 64)) -> None:
        """Build the layers."""
        super().__init__()
        self.user, self.item = nn.Embedding(USERS, factors), nn.Embedding(ITEMS, factors)
        self.deep_user, self.deep_item = nn.Embedding(USERS, layers[0] // 2), nn.Embedding(ITEMS, layers[0] // 2)
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(layers))
        self.head = nn.Linear(layers[-1] + factors, 1)

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        """Return one score a pair."""
        shallow = self.user(user) * self.item(item)
        deep = torch.cat((self.deep_user(user), self.deep_item(item)), dim=1)
        for layer in self.layers:
            deep = F.dropout(F.relu(layer(deep)), 0.5, self.training)
        result: Tensor = self.head(torch.cat((shallow, deep), dim=1))
        return result


def _binary_loss(output: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(output, torch.empty_like(output))


class Ssd300(nn.Module):
    """SSD300 with a ResNet-50 up to its third stage at stride 8, as in NVIDIA's SSD example."""

    anchors = (4, 6, 6, 6, 4, 4)
    widths = (1024, 512, 512, 256, 256, 256)
    middle = (256, 256, 128, 128, 128)

    def __init__(self, classes: int = 81) -> None:
        """Build the layers."""
        super().__init__()
        trunk = import_torchvision().models.resnet50(weights=None)
        trunk.layer3[0].conv2.stride = (1, 1)
        trunk.layer3[0].downsample[0].stride = (1, 1)
        self.trunk = nn.Sequential(*list(trunk.children())[:7])
        blocks = []
        for at, (inner, middle, outer) in enumerate(zip(self.widths, self.middle, self.widths[1:], strict=False)):
            strided: dict[str, Any] = {"stride": 2, "padding": 1} if at < 3 else {}
            blocks.append(
                nn.Sequential(
                    nn.Conv2d(inner, middle, 1, bias=False),
                    nn.BatchNorm2d(middle),
                    nn.ReLU(inplace=True),
                    nn.Conv2d(middle, outer, 3, bias=False, **strided),
                    nn.BatchNorm2d(outer),
                    nn.ReLU(inplace=True),
                )
            )
        self.blocks, self.classes = nn.ModuleList(blocks), classes
        pairs = list(zip(self.widths, self.anchors, strict=True))
        self.places = nn.ModuleList(nn.Conv2d(width, n * 4, 3, padding=1) for width, n in pairs)
        self.scores = nn.ModuleList(nn.Conv2d(width, n * classes, 3, padding=1) for width, n in pairs)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return boxes [N, 4, 8732] and class scores [N, classes, 8732]."""
        maps = [self.trunk(x)]
        for block in self.blocks:
            maps.append(block(maps[-1]))
        places = [head(x).view(x.shape[0], 4, -1) for head, x in zip(self.places, maps, strict=True)]
        scores = [head(x).view(x.shape[0], self.classes, -1) for head, x in zip(self.scores, maps, strict=True)]
        return torch.cat(places, 2), torch.cat(scores, 2)


def _ssd_loss(output: tuple[Tensor, Tensor]) -> Tensor:
    """Smooth L1 of boxes and cross entropy with hard negative mining."""
    places, scores = output
    labels = torch.empty(scores.shape[0], scores.shape[2], dtype=torch.long, device=scores.device)
    mask = labels > 0
    count = mask.sum(dim=1)
    box = (F.smooth_l1_loss(places, torch.empty_like(places), reduction="none").sum(dim=1) * mask).sum(dim=1)
    each = F.cross_entropy(scores, labels, reduction="none")
    hard = each.detach().clone()
    hard[mask] = 0
    _, order = hard.sort(dim=1, descending=True)
    _, rank = order.sort(dim=1)
    negative = rank < (3 * count).unsqueeze(-1)
    total = box + (each * (mask.float() + negative.float())).sum(dim=1)
    return (total / count.float().clamp(min=1e-6)).mean()


class FrozenNorm(nn.Module):
    """Batch norm with fixed statistics: one scale and one shift."""

    scale: Tensor
    shift: Tensor

    def __init__(self, width: int) -> None:
        """Build the layers."""
        super().__init__()
        self.register_buffer("scale", torch.ones(1, width, 1, 1))
        self.register_buffer("shift", torch.zeros(1, width, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Scale and shift."""
        return x * self.scale.to(x.dtype) + self.shift.to(x.dtype)


class MaskRcnn(nn.Module):
    """Mask R-CNN with a ResNet-50 feature pyramid: its dense work at a fixed number of regions.

    Region pooling is bilinear sampling at two points a bin; box matching and suppression on the host are left out.

    Parameters
    ----------
    proposals, masks : int
        Regions an image for the box head, and of those for the mask head.
    """

    def __init__(self, *, proposals: int = 512, masks: int = 128, classes: int = 81) -> None:
        """Build the layers."""
        super().__init__()
        trunk = import_torchvision().models.resnet50(weights=None, norm_layer=FrozenNorm)
        self.stem = nn.Sequential(trunk.conv1, trunk.bn1, trunk.relu, trunk.maxpool)
        self.stages = nn.ModuleList((trunk.layer1, trunk.layer2, trunk.layer3, trunk.layer4))
        self.stem.requires_grad_(False)
        self.stages[0].requires_grad_(False)
        self.lateral = nn.ModuleList(nn.Conv2d(width, 256, 1) for width in (256, 512, 1024, 2048))
        self.smooth = nn.ModuleList(nn.Conv2d(256, 256, 3, padding=1) for _ in range(4))
        self.rpn, self.rpn_score, self.rpn_box = (
            nn.Conv2d(256, 256, 3, padding=1),
            nn.Conv2d(256, 3, 1),
            nn.Conv2d(256, 12, 1),
        )
        self.box = nn.Sequential(nn.Linear(256 * 49, 1024), nn.ReLU(), nn.Linear(1024, 1024), nn.ReLU())
        self.box_score, self.box_place = nn.Linear(1024, classes), nn.Linear(1024, 4 * classes)
        layers: list[nn.Module] = []
        for _ in range(4):
            layers += [nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(inplace=True)]
        layers += [nn.ConvTranspose2d(256, 256, 2, stride=2), nn.ReLU(inplace=True), nn.Conv2d(256, classes, 1)]
        self.mask, self.proposals, self.masks = nn.Sequential(*layers), proposals, masks

    @staticmethod
    def _pool(features: Tensor, regions: int, bins: int) -> Tensor:
        """Return features of ``regions`` regions an image, [N * regions, C, bins, bins]."""
        grid = torch.empty(features.shape[0], regions * bins * 2, bins * 2, 2, device=features.device)
        taken = F.avg_pool2d(F.grid_sample(features.float(), grid, align_corners=False), 2)
        result: Tensor = taken.reshape(*taken.shape[:2], regions, bins, bins).transpose(1, 2).flatten(0, 1)
        return result

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return scores and boxes of the pyramid, of the regions, and masks."""
        maps, x = [], self.stem(x)
        for stage, lateral in zip(self.stages, self.lateral, strict=True):
            x = stage(x)
            maps.append(lateral(x))
        for at in (2, 1, 0):
            maps[at] = maps[at] + F.interpolate(maps[at + 1], size=maps[at].shape[-2:], mode="nearest")
        maps = [smooth(part) for smooth, part in zip(self.smooth, maps, strict=True)]
        found: list[Tensor] = []
        for part in (*maps, F.max_pool2d(maps[-1], 1, 2)):
            hidden = F.relu(self.rpn(part))
            score, box = self.rpn_score(hidden), self.rpn_box(hidden)
            score.detach().flatten(1).topk(min(2000, score[0].numel()), dim=1)
            found += [score, box]
        hidden = self.box(self._pool(maps[0], self.proposals, 7).flatten(1))
        mask = self.mask(self._pool(maps[0], self.masks if self.training else 100, 14))
        return [*found, self.box_score(hidden), self.box_place(hidden), mask]


class UNet(nn.Module):
    """U-Net (Ronneberger et al. 2015) with same padding and batch norm."""

    def __init__(self, inner: int = 3, classes: int = 2, width: int = 64) -> None:
        """Build the layers."""
        super().__init__()
        widths = [width * 2**level for level in range(5)]
        self.down = nn.ModuleList(self._double(a, b) for a, b in zip([inner, *widths], widths, strict=False))
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * w, w, 2, stride=2) for w in widths[3::-1])
        self.join = nn.ModuleList(self._double(2 * w, w) for w in widths[3::-1])
        self.head = nn.Conv2d(width, classes, 1)

    @staticmethod
    def _double(inner: int, outer: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(inner, outer, 3, padding=1, bias=False), nn.BatchNorm2d(outer), nn.ReLU(inplace=True),
            nn.Conv2d(outer, outer, 3, padding=1, bias=False), nn.BatchNorm2d(outer), nn.ReLU(inplace=True),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """Return class scores of every pixel."""
        kept = []
        for at, block in enumerate(self.down):
            x = block(x if at == 0 else F.max_pool2d(x, 2))
            kept.append(x)
        for up, join, other in zip(self.up, self.join, kept[3::-1], strict=True):
            x = join(torch.cat((other, up(x)), dim=1))
        result: Tensor = self.head(x)
        return result


def _pixel_loss(output: Tensor) -> Tensor:
    return F.cross_entropy(output, torch.empty(output.shape[0], *output.shape[2:], dtype=torch.long))


class RecurrentModel(nn.Module):
    """Word-level language model with a recurrent core (Zaremba et al. 2014, large)."""

    def __init__(self, core: type[nn.Module], *, vocabulary: int = 10_000, width: int = 1500, layers: int = 2) -> None:
        """Build the layers."""
        super().__init__()
        self.words, self.dropout = nn.Embedding(vocabulary, width), nn.Dropout(0.65)
        self.core = core(width, width, layers, batch_first=True, dropout=0.65)
        self.head = nn.Linear(width, vocabulary)

    def forward(self, ids: Tensor) -> Tensor:
        """Return next-token scores."""
        result: Tensor = self.head(self.dropout(self.core(self.dropout(self.words(ids)))[0]))
        return result


def _recurrent(core: type[nn.Module], size: int, blocks: int) -> nn.Module:
    return RecurrentModel(core)


def _mask_rcnn_image(batch: int, size: int) -> Sequence[Any]:
    return [torch.empty(batch, 3, 800, 1344)]


def definitions() -> Iterator[Definition]:
    """Yield the definitions of this module."""
    from perfmodel.calibration.zoo.language import language_model_loss, tokens

    yield Definition(
        name="ncf",
        family="recommendation",
        build=lambda size, blocks: NeuMf(),
        inputs=lambda batch, size: [torch.empty(batch, dtype=torch.long) for _ in range(2)],
        unit="sample",
        size_name=None,
        default_size=0,
        loss=_binary_loss,
        optimizer="adam",
    )
    yield Definition(
        name="ssd300_resnet50",
        family="detection",
        build=lambda size, blocks: Ssd300(),
        inputs=images,
        default_size=300,
        size_step=0,
        degree=0,
        points=(0,),
        loss=_ssd_loss,
    )
    yield Definition(
        name="maskrcnn_resnet50_fpn",
        family="detection",
        build=lambda size, blocks: MaskRcnn(),
        inputs=_mask_rcnn_image,
        size_name=None,
        default_size=0,
    )
    yield Definition(
        name="unet",
        family="segmentation",
        build=lambda size, blocks: UNet(),
        inputs=images,
        default_size=512,
        loss=_pixel_loss,
        optimizer="adam",
    )
    for name, core in (("lstm", nn.LSTM), ("gru", nn.GRU), ("rnn", nn.RNN)):
        yield Definition(
            name=name,
            family="recurrent",
            build=partial(_recurrent, core),
            inputs=tokens,
            unit="sequence",
            size_name="seq_len",
            default_size=35,
            size_step=7,
            loss=language_model_loss,
        )
