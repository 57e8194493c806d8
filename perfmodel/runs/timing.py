"""What a measured time covers, read by keyword from the words that a table's author used.

Every table times something else: the forward pass, forward and backward without the optimizer, a copy of the input
inside the timed region, a sum of operators. The spelling is free, so it is read by words, and a row whose words say
nothing is taken as what its phase usually means: a full training step with optimizer, or a forward pass.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, kw_only=True)
class TimingScope:
    """The parts of a step that a measured time covers.

    Attributes
    ----------
    forward, loss, backward, optimizer : bool
        Parts of the step on the device.
    h2d_copy : bool
        The input is copied from host memory inside the timed region.
    pageable : bool
        That copy is from pageable memory, so that it is slow and blocks.
    loading : bool
        Input is real data through a loader (nothing says how fast that loader was).
    sum_of_operators : bool
        The time is a sum of device times of operators: no launch gaps, no host.
    stated : bool
        The words name parts; False where the phase's usual meaning was taken.
    """

    forward: bool = True
    loss: bool = False
    backward: bool = False
    optimizer: bool = False
    h2d_copy: bool = False
    pageable: bool = False
    loading: bool = False
    sum_of_operators: bool = False
    stated: bool = False

    @property
    def key(self) -> str:
        """Short name of the scope, such as ``fwd+bwd+h2d``; equal scopes have equal keys."""
        parts = (
            (self.forward, "fwd"),
            (self.loss, "loss"),
            (self.backward, "bwd"),
            (self.optimizer, "opt"),
            (self.h2d_copy, "h2d-pageable" if self.pageable else "h2d"),
            (self.loading, "load"),
            (self.sum_of_operators, "operators"),
        )
        return "+".join(name for there, name in parts if there)


_FORWARD = re.compile(r"\b(?:fwd|forward|fprop|inference|infer)\b")
_BACKWARD = re.compile(r"\b(?:bwd|backward|backwards|bprop|backprop\w*|gradients?)\b")
_OPTIMIZER = re.compile(r"optimi[sz]er|\boptim\b|weight update|parameter update|\bupdate step|\bsgd\b|\badamw?\b")
_WHOLE_STEP = re.compile(r"\b(?:full|whole|complete|entire)\b[^,;]*\b(?:step|iteration)")
_LOSS = re.compile(r"\bloss\b|criterion|cross[ -]?entropy")
_COPY = re.compile(r"h2d|host[ -]?to[ -]?device|cpu[ -]?to[ -]?gpu|\bcop(?:y|ies|ied|ying)\b|transfer|upload")
_PAGEABLE = re.compile(r"pageable|non[ -]?pinned|unpinned|not pinned")
_HOST_INPUT = re.compile(r"\b(?:host|cpu)\b[\w\s-]*\b(?:tensors?|input|batch|data|arrays?)\b")
_OPERATORS = re.compile(
    r"(?:sum|total)(?: of)?(?: the)? (?:\w+ )?(?:operators?|ops|kernels?)"
    r"|(?:operator|kernel)[ -]?(?:times?|level)[ -]?sum"
)
_REAL = re.compile(r"\breal\b|imagenet|\bcoco\b|squad|wikitext|dataloader|data loader|from disk|\bdisk\b")
_SYNTHETIC = re.compile(r"synthetic|random|dummy|fake|\bzeros\b|\bones\b|generated|\bno (?:data|input) loading")
_TRAIN = re.compile(r"^\s*(?:train\w*|fine[ -]?tun\w*)\s*:")
_INFER = re.compile(r"^\s*(?:infer\w*|eval\w*|test\w*|forward)\s*:")
_NEGATION = (
    r"(?:\b(?:no|not|minus|non)\b[\s:-]*(?:\w+[\s-]+){0,2}?"
    r"|\b(?:without|exclud\w*|except|omit\w*|ignor\w*)\b[^,;.]*?)"
)


def _denied(pattern: re.Pattern[str], text: str) -> bool:
    """Whether the text speaks of a part only to deny it (``no optimizer step``, ``optimizer excluded``)."""
    after = r"[\w\s-]{0,12}\b(?:excluded|not included|omitted|off|disabled)\b"
    return re.search(f"{_NEGATION}(?:{pattern.pattern})|(?:{pattern.pattern}){after}", text) is not None


def _says(pattern: re.Pattern[str], text: str) -> bool:
    return pattern.search(text) is not None and not _denied(pattern, text)


def is_training(phase: object) -> bool:
    """Whether a row's phase means training (``train``, ``training``, ``fine-tuning``); anything else is inference."""
    return re.match(r"\s*(?:train|fine[ -]?tun|pre[ -]?train|fit\b)", str(phase).lower()) is not None


def read_timing(timing_def: object, data: object, phase: object, *, model: str = "") -> TimingScope:
    """Read what a measured time covers.

    Parameters
    ----------
    timing_def, data, phase : object
        A row's own words; empty, None or NaN say nothing.
    model : str
        The row's network: a clause such as ``resnet50 synthetic`` speaks of that network only.
    """
    return _read(_text(timing_def), _text(data), is_training(phase), model.lower())


def _text(value: object) -> str:
    text = "" if value is None or value != value else str(value)
    text = re.sub(r"\bw/o\b", "without", text.lower())
    return re.sub(r"[_+/]+", lambda m: " " if "_" in m[0] else f" {m[0]} ", text).strip()


@lru_cache(maxsize=4096)
def _read(timing: str, data: str, training: bool, model: str) -> TimingScope:
    words = _clauses_for(timing, training)
    both = f"{words} ; {data}"
    loading = _is_real(data, model) or _is_real(words, model)
    copy = _says(_COPY, both) or loading or (_HOST_INPUT.search(data) is not None and not _denied(_COPY, both))
    if loading and _denied(_COPY, both):
        copy = False
    stated = any(p.search(words) for p in (_FORWARD, _BACKWARD, _OPTIMIZER, _WHOLE_STEP))
    backward, optimizer = _trained_parts(words, stated) if training else (False, False)
    return TimingScope(
        loss=backward and not _denied(_LOSS, words),
        backward=backward,
        optimizer=optimizer,
        h2d_copy=copy,
        pageable=copy and _PAGEABLE.search(both) is not None,
        loading=loading,
        sum_of_operators=_OPERATORS.search(words) is not None,
        stated=stated,
    )


def _clauses_for(timing: str, training: bool) -> str:
    """Keep what a text says about this phase: clauses that begin with the other phase's name are dropped."""
    clauses = [c for c in re.split(r"[;()|]", timing) if c.strip()]
    mine, other = (_TRAIN, _INFER) if training else (_INFER, _TRAIN)
    special = [c for c in clauses if mine.match(c)]
    general = [c for c in clauses if not mine.match(c) and not other.match(c)]
    if special:
        general = [c for c in general if not _FORWARD.search(c) or _BACKWARD.search(c)]
    return " ; ".join(general + [mine.sub("", c) for c in special])


def _trained_parts(words: str, stated: bool) -> tuple[bool, bool]:
    if not stated or _says(_WHOLE_STEP, words):
        return True, not _denied(_OPTIMIZER, words)
    optimizer = _says(_OPTIMIZER, words)
    only_forward = _FORWARD.search(words) is not None and not optimizer and not _says(_BACKWARD, words)
    return not only_forward and not _denied(_BACKWARD, words), optimizer


def _is_real(text: str, model: str) -> bool:
    """Whether a text says that input is real data, for this model."""
    clauses = [c.strip() for c in text.split(";") if c.strip()]
    for clause in clauses:
        named = re.sub(_SYNTHETIC, "", clause).strip(" :=-")
        if _SYNTHETIC.search(clause) and named and model and named.replace(" ", "") in re.sub(r"[\s_-]", "", model):
            return False
    return any(_says(_REAL, clause) for clause in clauses if not _SYNTHETIC.search(clause))
