"""AnaXNet's convolutions against their equations in loops."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from encoders.encoder import EncoderError
from encoders.networks.anaxnet import AnaXNet, RegionConvolutions, anaxnet
from encoders.networks.pooled import PooledNetwork
from tests.encoders.networks.small_regions import CHAIN, SMALL


def made(**told: Any) -> PooledNetwork:
    torch.manual_seed(3)
    config = {**SMALL, "neighbours": CHAIN, "hidden": 6, **told}
    return anaxnet(config, "mean of regions").eval()


def crops(images: int = 2) -> torch.Tensor:
    return torch.randn(images, 3, 64, 64, generator=torch.Generator().manual_seed(8))


def convolved(graph: RegionConvolutions, seen: np.ndarray) -> np.ndarray:
    """Of one image, a sum at a time."""
    parts = (graph.neighbours, graph.inner, graph.outer)
    near, inner, outer = (part.detach().numpy().astype(float) for part in parts)
    count, width = seen.shape
    hidden = np.zeros((count, inner.shape[1]))
    for i in range(count):
        for j in range(count):
            hidden[i] += near[i, j] * (seen[j] @ inner)
    hidden = np.where(hidden > 0, hidden, 0.2 * hidden)
    related = np.zeros((count, width))
    for i in range(count):
        for j in range(count):
            related[i] += near[i, j] * (hidden[j] @ outer)
    found = np.zeros((count, width))
    for i in range(count):
        weights = [math.exp(float(seen[i] @ related[j])) for j in range(count)]
        for j in range(count):
            found[i] += weights[j] / sum(weights) * seen[j]
    return found


def test_convolutions_are_the_equations() -> None:
    torch.manual_seed(4)
    near = torch.tensor([[0.5, 0.4, 0.0], [0.4, 0.3, 0.4], [0.0, 0.4, 0.5]])
    graph = RegionConvolutions(near, width=4, hidden=5)
    seen = torch.randn(2, 3, 4)
    found = graph(seen).detach().numpy()
    for image in range(2):
        expected = convolved(graph, seen[image].numpy().astype(float))
        np.testing.assert_allclose(found[image], expected, atol=1e-5)


def test_what_regions_say_of_each_other_is_added_and_normalised() -> None:
    network = made()
    body = network.body
    assert isinstance(body, AnaXNet)
    seen = body.regions(crops())[0].detach().numpy().astype(float)
    added = seen + convolved(body.graph, seen)
    deviations = np.sqrt(added.var(axis=1, keepdims=True) + body.norm.eps)
    expected = (added - added.mean(axis=1, keepdims=True)) / deviations
    np.testing.assert_allclose(body(crops())[0].detach(), expected, atol=1e-4)
    np.testing.assert_allclose(network(crops())[0].detach(), expected.mean(axis=0), atol=1e-4)


@pytest.mark.parametrize(("normalised", "expected"), [(True, 1 / math.sqrt(6)), (False, 1.0)])
def test_the_matrix_is_normalised_or_as_published(normalised: bool, expected: float) -> None:
    body = made(normalised=normalised).body
    assert isinstance(body, AnaXNet)
    assert float(body.graph.neighbours[0, 1]) == pytest.approx(expected)
    assert float(body.graph.neighbours[0, 2]) == 0


def test_the_graph_is_saved_and_does_not_learn() -> None:
    body = made().body
    assert "graph.neighbours" in body.state_dict()
    assert "graph.neighbours" not in dict(body.named_parameters())


def test_images_of_a_batch_do_not_see_each_other() -> None:
    """As they would with a softmax over the wrong axis."""
    network = made()
    torch.testing.assert_close(network(crops(3))[1:2], network(crops(3)[1:2]))


def test_published_sizes() -> None:
    rows = np.ones((18, 18), int).tolist()
    config = {"in_channels": 3, "regions": 18, "backbone": "densenet121", "neighbours": rows}
    with torch.device("meta"):
        body = anaxnet(config, "mean of regions").body
    assert isinstance(body, AnaXNet)
    assert body.graph.inner.shape == (1024, 2048)
    assert body.graph.outer.shape == (2048, 1024)


@pytest.mark.parametrize(
    ("told", "pooling", "reason"),
    [
        ({"neighbours": None}, "mean of regions", r"needs config\['neighbours'\]"),
        ({"layers": 3}, "mean of regions", "AnaXNet has no layers"),
        ({"hidden": 0}, "mean of regions", "hidden is 0"),
        ({}, "mean", "no pooling 'mean' of AnaXNet"),
    ],
)
def test_what_cannot_be_built_is_told(told: dict[str, Any], pooling: str, reason: str) -> None:
    with pytest.raises(EncoderError, match=reason):
        anaxnet({**SMALL, "neighbours": CHAIN, **told}, pooling)
