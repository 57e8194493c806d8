"""Coarse families of networks: what "leave one family out" leaves out together."""

from __future__ import annotations

import re

#: First match decides; names are the families that graphs carry.
_RULES = (
    ("resnext", r"ig|resnext|res2next|seresnext|ese_resnext"),
    ("mobile-vit", r"efficientvit|mobilevit|levit|edgenext|efficientformer|fastvit|repvit|mobileone|ghost|convmixer"),
    (
        "mobile",
        r"(tf_)?efficientnet|mixnet|fbnet|hardcore|lcnet|tinynet|mnasnet|mobile|rexnet|spnas|semnas|shufflenet|tf$",
    ),
    ("mlp", r"mixer|gmlp|resmlp|gmixer"),
    ("vgg", r"vgg|alexnet|repvgg"),
    ("inception", r"inception|googlenet|xception"),
    ("densenet", r"densenet|rdnet|squeezenet"),
    ("darknet", r"darknet|cs3|csp|hgnet|dla|hrnet|nf|dm_nf|vovnet|ese"),
    (
        "resnet",
        r"\w*resnet|legacy|gernet|resnest|regnet|selecsls|tresnet|eca|wide_resnet|ssl|swsl|halo|bot|lambda|gc|bat",
    ),
    ("bert", r"bert"),
    ("decoder", r"gpt|opt|llama|switch"),
    ("detection", r"detection"),
    ("recommendation", r"recommendation"),
    (
        "vit",
        r"vit|gemma|cpubone|deit|beit|cait|eva|xcit|swin|twins|pit|visformer|volo|coat|pvt|poolformer|nest|jx|tnt|cross|conv|max"
        r"|caformer|davit|gcvit|focal|mvit|sequencer|samvit|hiera|next",
    ),
)


def coarse_family(family: str) -> str:
    """Coarse family of a graph's family; ``other`` where no rule matches."""
    return next((name for name, pattern in _RULES if re.match(pattern, family)), "other")
