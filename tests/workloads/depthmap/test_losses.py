"""SSIM against its formula, losses, their combinations, and the learning rate."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from perfmodel.errors import InputError

torch = pytest.importorskip("torch")
Image = pytest.importorskip("PIL.Image")

from perfmodel.workloads import depthmap  # noqa: E402
from perfmodel.workloads.depthmap.comparison import judge, read_pairs, standard_pairs  # noqa: E402
from perfmodel.workloads.depthmap.losses import LOSSES, Objective, Term, read_terms  # noqa: E402
from perfmodel.workloads.depthmap.schedule import CyclicWithPlateau  # noqa: E402
from perfmodel.workloads.depthmap.similarity import ssim  # noqa: E402
from perfmodel.workloads.training.processes import Place  # noqa: E402

HERE = Place(rank=0, world=1, device=torch.device("cpu"))


def slow_ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Wang et al. 2004, equations 13 to 16, window by window in float64."""
    y, x = np.mgrid[-5:6, -5:6]
    weights = np.exp(-(x**2 + y**2) / (2 * 1.5**2))
    weights /= weights.sum()
    c1, c2 = 0.01**2, 0.03**2
    values = []
    for row in range(a.shape[0] - 10):
        for column in range(a.shape[1] - 10):
            p, q = a[row : row + 11, column : column + 11], b[row : row + 11, column : column + 11]
            mean_p, mean_q = (weights * p).sum(), (weights * q).sum()
            variance_p, variance_q = (weights * (p - mean_p) ** 2).sum(), (weights * (q - mean_q) ** 2).sum()
            covariance = (weights * (p - mean_p) * (q - mean_q)).sum()
            values.append(
                (2 * mean_p * mean_q + c1) * (2 * covariance + c2)
                / ((mean_p**2 + mean_q**2 + c1) * (variance_p + variance_q + c2))
            )  # fmt: skip
    return float(np.mean(values))


def images(seed: int, count: int = 2, size: tuple[int, int] = (24, 31)) -> Any:
    return torch.rand(count, 1, *size, generator=torch.Generator().manual_seed(seed))


def test_ssim_is_that_of_the_paper() -> None:
    a, b = images(0), images(1)
    mixed = 0.7 * a + 0.3 * b
    for one, other in ((a, b), (a, mixed), (a, a.round()), (a, torch.zeros_like(a)), (a, 1 - a)):
        found = ssim(one, other)
        assert found.shape == (2,)
        expected = [slow_ssim(p[0].double().numpy(), q[0].double().numpy()) for p, q in zip(one, other, strict=True)]
        assert found.tolist() == pytest.approx(expected, abs=2e-5)


def test_ssim_is_that_of_scikit_image() -> None:
    metrics = pytest.importorskip("skimage.metrics")
    a, b = images(0, 1)[0, 0], images(1, 1)[0, 0]
    mixed = 0.7 * a + 0.3 * b
    expected = metrics.structural_similarity(
        a.numpy(), mixed.numpy(), data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert float(ssim(a[None, None], mixed[None, None])) == pytest.approx(float(expected), abs=2e-5)


def test_ssim_of_equal_images_and_of_too_small_ones() -> None:
    a = images(0)
    assert ssim(a, a).tolist() == pytest.approx([1.0, 1.0], abs=1e-6)
    assert torch.equal(ssim(a, images(1)), ssim(images(1), a))
    with pytest.raises(InputError, match="images of 10 x 31 pixels have no SSIM"):
        ssim(a[:, :, :10], a[:, :, :10])


def test_terms() -> None:
    assert read_terms("BCE-logits") == (Term("bce_logits", 1.0),)
    assert read_terms("bce:1 + ssim:0.5") == (Term("bce", 1.0), Term("ssim", 0.5))
    for wrong, line in (
        ("dice", "no loss 'dice'"),
        ("ssim:-1", "weight of ssim"),
        ("mse:x", "weight of mse"),
        ("mse+mse", "twice"),
    ):
        with pytest.raises(InputError, match=line):
            read_terms(wrong)
    with pytest.raises(InputError, match="no combination 'product'"):
        Objective(combine="product")


def outputs() -> tuple[tuple[Any, Any], Any, Any]:
    generator = torch.Generator().manual_seed(3)
    mask, depth = (torch.randn(2, 1, 16, 16, generator=generator).requires_grad_() for _ in range(2))
    return (mask, depth), images(4, 2, (16, 16)).round(), images(5, 2, (16, 16))


def test_the_default_objective_is_the_loss_that_was_captured() -> None:
    output, mask, depth = outputs()
    objective = Objective()
    total = objective.total(objective.terms(output, mask, depth), HERE)
    assert total.item() == pytest.approx(depthmap.loss(output, mask, depth).item(), rel=1e-6)
    assert objective.names == ("mask_bce_logits", "depth_smooth_l1")


def test_sums_by_weights_and_by_roots() -> None:
    output, mask, depth = outputs()
    text = {"mask": "bce:2+ssim:0.5", "depth": "mse"}
    weighted, rooted = Objective(**text), Objective(**text, combine="roots")
    terms = weighted.terms(output, mask, depth)
    expected = [
        torch.nn.functional.binary_cross_entropy(output[0].sigmoid(), mask),
        1 - ssim(output[0].sigmoid(), mask).mean(),
        torch.nn.functional.mse_loss(output[1], depth),
    ]
    assert [t.item() for t in terms] == pytest.approx([t.item() for t in expected], rel=1e-6)
    a, b, c = expected
    for objective, total in ((weighted, 2 * a + 0.5 * b + c), (rooted, 2 * a.sqrt() + 0.5 * b.sqrt() + c.sqrt())):
        found = objective.total(terms, HERE)
        assert found.item() == pytest.approx(total.item(), rel=1e-6)
        assert objective.combined([t.item() for t in terms]) == pytest.approx(total.item(), rel=1e-6)
        for one, other in zip(
            torch.autograd.grad(found, output, retain_graph=True),
            torch.autograd.grad(total, output, retain_graph=True),
            strict=True,
        ):
            torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-9)


def test_the_depth_is_a_logit_under_cross_entropy_only() -> None:
    output = (torch.zeros(1, 1, 12, 12), torch.full((1, 1, 12, 12), 2.0))
    assert float(Objective(depth="bce+ssim").images(output)[1].max()) == pytest.approx(1 / (1 + math.exp(-2)))
    assert float(Objective(depth="mse+ssim").images(output)[1].max()) == 2.0


def test_what_losses_say_about_pairs() -> None:
    target = images(0, 1, (48, 48))
    found = judge(standard_pairs(target))
    assert set(found) >= {"identical", "inverted", "black", "its mean"}
    for name in LOSSES:
        assert all(values[name] >= found["identical"][name] - 1e-6 for values in found.values())
        if name in ("smooth_l1", "mse", "ssim"):
            assert found["identical"][name] == pytest.approx(0, abs=1e-6)
    assert found["inverted"]["ssim"] > 1  # structure is opposed
    assert found["brighter by 0.1"]["mse"] < found["noise of 0.1"]["mse"] * 1.2
    assert found["brighter by 0.1"]["ssim"] < 0.5 * found["noise of 0.1"]["ssim"]
    for values in found.values():
        assert values["bce"] == pytest.approx(values["bce_logits"], rel=0.01, abs=1e-3)


def test_pairs_of_files(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30), dtype=np.uint8)
    for name, values in (("a", pixels), ("b", 255 - pixels), ("c", pixels[:15])):
        Image.fromarray(values).save(tmp_path / f"{name}.png")
    a, b, c = (tmp_path / f"{name}.png" for name in "abc")
    found = judge(read_pairs([a, a, a, b]))
    assert found["a.png, a.png"]["mse"] == 0
    assert found["a.png, b.png"]["mse"] == pytest.approx(((pixels / 127.5 - 1) ** 2).mean(), rel=1e-5)
    for files, line in (
        ([a], "1 images make no pairs"),
        ([a, c], "differ in size"),
        ([a, tmp_path / "no.png"], r"no file .*no\.png"),
    ):
        with pytest.raises(InputError, match=line):
            read_pairs(files)


def schedule(patience: int = 1) -> tuple[Any, CyclicWithPlateau]:
    optimizer = torch.optim.Adam([torch.zeros(1)], lr=1.0)
    return optimizer, CyclicWithPlateau(optimizer, highest=1.0, rise=4, patience=patience)


def rates(optimizer: Any, cycle: CyclicWithPlateau, steps: int) -> list[float]:
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        cycle.step()
    return found


def test_the_learning_rate_rises_and_falls_and_a_plateau_halves_its_maximum() -> None:
    optimizer, cycle = schedule()
    assert rates(optimizer, cycle, 8) == pytest.approx([0.1, 0.325, 0.55, 0.775, 1.0, 0.775, 0.55, 0.325])
    for loss in (1.0, 1.0):
        cycle.end_epoch(loss)
    assert cycle.highest == 1.0
    cycle.end_epoch(1.0)  # the second epoch without a lower loss
    assert cycle.highest == 0.5
    assert rates(optimizer, cycle, 8) == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.4, 0.3, 0.2])
    for _ in range(20):
        cycle.end_epoch(1.0)
    assert cycle.highest == pytest.approx(0.1)


def test_a_restored_schedule_goes_on() -> None:
    optimizer, cycle = schedule(patience=0)
    rates(optimizer, cycle, 3)
    for loss in (1.0, 1.0):
        cycle.end_epoch(loss)
    other, again = schedule(patience=0)
    again.restore(cycle.state())
    other.load_state_dict(optimizer.state_dict())
    assert rates(other, again, 9) == rates(optimizer, cycle, 9)
    assert again.highest == cycle.highest == 0.5
