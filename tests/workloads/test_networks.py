"""Exact sizes of the workload networks."""

from __future__ import annotations

from typing import Any

import pytest

from perfmodel.graph import load

torch = pytest.importorskip("torch")

from perfmodel.workloads import cyclegan, depthmap, pilotnet  # noqa: E402

GENERATOR = {3: 4_297_219, 4: 5_477_379, 5: 6_657_539, 6: 7_837_699, 7: 9_017_859, 8: 10_198_019, 9: 11_378_179}
GMAC = {3: 20.56, 4: 25.39, 5: 30.22, 6: 35.06, 7: 39.89, 8: 44.72, 9: 49.55}
GFLOP = {3: 841, 4: 1015, 5: 1189, 6: 1363, 7: 1537, 8: 1711, 9: 1885}
TRAINABLE = {3: 14_123_912, 4: 16_484_232, 5: 18_844_552, 6: 21_204_872, 7: 23_565_192, 8: 25_925_512, 9: 28_285_832}
DISCRIMINATOR, DISCRIMINATOR_GMAC = 2_764_737, 3.147


def parameters(module: Any) -> int:
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


@pytest.mark.parametrize("blocks", GENERATOR)
def test_cyclegan(blocks: int) -> None:
    with torch.device("meta"):
        assert parameters(cyclegan.Generator(blocks)) == GENERATOR[blocks]
        assert parameters(cyclegan.Discriminator()) == DISCRIMINATOR
    graph = load("cyclegan")
    assert graph.parameters(blocks) == TRAINABLE[blocks]
    totals = graph.totals(blocks=blocks)
    assert float(totals.gmacs) == pytest.approx(GMAC[blocks], abs=0.005)
    convention = 2 * cyclegan.step_gmacs(float(totals.gmacs), DISCRIMINATOR_GMAC)
    assert convention == pytest.approx(GFLOP[blocks], abs=0.6)
    # what really runs: no gradient with respect to real (or detached) images in the first layers, of four generator
    # passes (7x7, 3 to 64 channels) and four discriminator passes (4x4, 3 to 64 channels at half size); the two
    # discriminator passes inside the generator step go through to the fakes
    saved = 4 * 2 * (256 * 256 * 49 * 3 * 64) / 1e9 + 4 * 2 * (128 * 128 * 16 * 3 * 64) / 1e9
    exact = 2 * cyclegan.step_gmacs(float(totals.gmacs), 3.146760192)
    assert float(totals.gflops_step) == pytest.approx(exact - saved, rel=1e-5)


@pytest.mark.parametrize("size", [64, 256])
def test_cyclegan_keeps_the_image_size(size: int) -> None:
    with torch.device("meta"):
        x = torch.empty(2, 3, size, size)
        assert cyclegan.Generator(3)(x).shape == x.shape
        assert cyclegan.Discriminator()(x).shape == (2, 1, size // 8 - 2, size // 8 - 2)


@pytest.mark.parametrize(("same", "count", "mmac"), [(False, 1_595_528, 28.2), (True, 17_016_200, 65.4)])
def test_pilotnet(same: bool, count: int, mmac: float) -> None:
    with torch.device("meta"):
        network = pilotnet.PilotNet(same=same)
        assert parameters(network) == count
        assert network(torch.empty(2, 3, 200, 66)).shape == (2, 2)
    graph = load("pilotnet_same" if same else "pilotnet")
    assert graph.parameters() == count
    assert float(graph.totals().gmacs) * 1e3 == pytest.approx(mmac, abs=0.05)


def test_deepest_lstm_tiny_pilotnet() -> None:
    with torch.device("meta"):
        network = pilotnet.DeepestLSTMTinyPilotNet()
        assert parameters(network) == 62_470
        assert network(torch.empty(2, 3, 100, 50)).shape == (2, 2)
        assert network(torch.empty(2, 5, 3, 100, 50)).shape == (2, 2)
    assert load("deepest_lstm_tiny_pilotnet").parameters() == 62_470


@pytest.mark.parametrize(
    ("name", "count", "gmac"),
    [("dmnet_cnn", 242_976, 8.91), ("dmnet_cnn_v1", 427_168, 15.71), ("dmnet_resnet", 385_376, 14.13)],
)
def test_depth_and_mask_networks(name: str, count: int, gmac: float) -> None:
    with torch.device("meta"):
        network = getattr(depthmap, name)()
        assert parameters(network) == count
        mask, depth = network(torch.empty(1, 6, 64, 48))
        assert mask.shape == depth.shape == (1, 1, 64, 48)
    graph = load(name)
    assert graph.parameters() == count
    assert float(graph.totals().gmacs) == pytest.approx(gmac, abs=0.005)


def test_a_real_step_of_each_network_has_finite_gradients() -> None:
    torch.manual_seed(0)
    for network, x in (
        (pilotnet.PilotNet(), torch.randn(2, 3, 200, 66)),
        (pilotnet.DeepestLSTMTinyPilotNet(), torch.randn(2, 3, 100, 50)),
        (depthmap.dmnet_resnet(), torch.randn(1, 6, 32, 32)),
    ):
        output = network(x)
        if isinstance(output, tuple):
            value = depthmap.loss(output, torch.rand_like(output[0]), torch.rand_like(output[1]))
        else:
            value = output.pow(2).mean()
        value.backward()
        assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())


def test_the_cyclegan_step_trains_all_four_networks() -> None:
    from contextlib import nullcontext
    from types import SimpleNamespace

    torch.manual_seed(0)
    networks = (
        cyclegan.Generator(1, 8), cyclegan.Generator(1, 8), cyclegan.Discriminator(8), cyclegan.Discriminator(8)
    )  # fmt: skip
    session = SimpleNamespace(forward=nullcontext, loss=nullcontext)
    cyclegan.training_step(session, networks, torch.randn(1, 3, 32, 32), torch.randn(1, 3, 32, 32))
    for network in networks:
        assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())
        assert all(p.requires_grad for p in network.parameters())
