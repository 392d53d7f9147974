"""The graph transformer against its equations, written out in loops."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from encoders.networks.graph_transformer import (
    EdgeAttention,
    Gate,
    Graph,
    GraphLayer,
    GraphTransformer,
)

Array = NDArray[np.float64]
SMALL = Graph(regions=3, width=4, layers=2, heads=2, head_width=2)
CHAIN = torch.tensor([[1, 1, 0], [1, 1, 1], [0, 1, 1]])


def made(graph: Graph) -> GraphTransformer:
    torch.manual_seed(5)
    return GraphTransformer(graph).double().eval()


def states(images: int = 2, regions: int = 3, width: int = 4) -> torch.Tensor:
    return torch.randn(images, regions, width, generator=torch.Generator().manual_seed(1)).double()


def linear(module: nn.Module, x: Array) -> Array:
    weights = {name: tensor.detach().numpy() for name, tensor in module.named_parameters()}
    return np.asarray(weights["weight"] @ x + weights.get("bias", 0))


def attended(of: EdgeAttention, nodes: Array, between: Array, heads: int, mask: Any) -> Array:
    """Section 2.2: one query, key and value at a time."""
    count, found = len(nodes), []
    wide = of.queries.out_features // heads
    for i in range(count):
        heard = []
        for head in range(heads):
            own = slice(head * wide, (head + 1) * wide)
            q = linear(of.queries, nodes[i])[own]
            weights, values = [], []
            for j in range(count):
                e = linear(of.edges, between[i, j])[own]
                k, v = linear(of.keys, nodes[j])[own] + e, linear(of.values, nodes[j])[own] + e
                weights.append(mask[i][j] * math.exp(float(q @ k) / math.sqrt(wide)))
                values.append(v)
            heard.append(sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights))
        found.append(linear(of.out, np.concatenate(heard)))
    return np.array(found)


@pytest.mark.parametrize("mask", [None, [[1, 0, 1], [0, 1, 0], [1, 1, 1]]])
def test_attention_is_the_equation(mask: list[list[int]] | None) -> None:
    torch.manual_seed(2)
    attention = EdgeAttention(4, heads=2, head_width=3).double()
    nodes, between = states(), torch.randn(3, 3, 4).double()
    given = None if mask is None else torch.tensor(mask).bool()
    found = attention(nodes, between, given).detach().numpy()
    for image in range(2):
        all_of_them = mask or np.ones((3, 3))
        expected = attended(attention, nodes[image].numpy(), between.numpy(), 2, all_of_them)
        np.testing.assert_allclose(found[image], expected, atol=1e-12)


def normed(norm: nn.LayerNorm, x: Array) -> Array:
    shares = (x - x.mean()) / math.sqrt(x.var() + norm.eps)
    return np.asarray(shares * norm.weight.detach().numpy() + norm.bias.detach().numpy())


def gated(gate: Gate, x: Array, h: Array) -> Array:
    beta = 1 / (1 + math.exp(-linear(gate.weigh, np.concatenate([x, h, x - h]))[0]))
    return beta * x + (1 - beta) * h


def gelu(x: Array) -> Array:
    return np.array([one * 0.5 * (1 + math.erf(one / math.sqrt(2))) for one in x])


def by_loops(of: GraphTransformer, graph: Graph, first: Array) -> list[Array]:
    adjacency = np.ones((3, 3), int) if graph.neighbours is None else graph.neighbours.numpy()
    table = of.neighbourhood.weight.detach().numpy()
    between = np.array([[table[adjacency[i, j]] for j in range(3)] for i in range(3)])
    if of.edges is not None:
        between = between + of.edges.detach().numpy()
    mask = adjacency if graph.neighbours_only else np.ones((3, 3), int)
    found, state = [], first
    for layer in of.layers:
        assert isinstance(layer, GraphLayer)
        nodes = np.array([normed(layer.attention_norm, one) for one in state])
        if of.locations is not None:
            nodes = nodes + of.locations.weight.detach().numpy()
        heard = attended(layer.attention, nodes, between, graph.heads, mask)
        before = first if graph.residual == "global" else state
        state = np.array(
            [gated(layer.attention_gate, *pair) for pair in zip(heard, before, strict=True)]
        )
        rows = []
        for at in range(3):
            inner, _, outer = layer.feed_forward
            said = linear(outer, gelu(linear(inner, normed(layer.forward_norm, state[at]))))
            earlier = first[at] if graph.residual == "global" else state[at]
            rows.append(gated(layer.forward_gate, said, earlier))
        state = np.array(rows)
        found.append(state)
    return found


@pytest.mark.parametrize(
    "switches",
    [
        {},
        {"residual": "local"},
        {"location": False, "edges": False},
        {"location": False, "neighbours": CHAIN},
        {"neighbours": CHAIN, "neighbours_only": True, "residual": "local"},
        {"published_edges": True},
    ],
)
def test_layers_are_the_equations(switches: dict[str, Any]) -> None:
    graph = replace(SMALL, **switches)
    network = made(graph)
    first = states()
    found = network(first)
    assert torch.equal(found.first, first)
    assert len(found.layers) == 2
    for image in range(2):
        expected = by_loops(network, graph, first[image].numpy())
        for layer in range(2):
            np.testing.assert_allclose(
                found.layers[layer][image].detach().numpy(), expected[layer], atol=1e-12
            )


@pytest.mark.parametrize(
    ("weight", "expected"),
    [
        ([0, 0, 0, 0, 0, 0], [2.0, 5.0]),  # beta 1/2: the middle of both
        ([100, 0, 0, 0, 0, 0], [1.0, 8.0]),  # open: x
        ([-100, 0, 0, 0, 0, 0], [3.0, 2.0]),  # closed: h
        ([0, 0, math.log(3) / 3, 0, 0, 0], [1.5, 6.5]),  # 3 of h: beta 3/4
        ([0, 0, 0, 0, 0, math.log(3) / 6], [1.5, 6.5]),  # 6 of x - h: beta 3/4
    ],
)
def test_the_gate_mixes_by_one_number(weight: list[float], expected: list[float]) -> None:
    gate = Gate(2)
    gate.weigh.weight.data = torch.tensor([weight], dtype=torch.float32)
    found = gate(torch.tensor([[[1.0, 8.0]]]), torch.tensor([[[3.0, 2.0]]]))
    torch.testing.assert_close(found, torch.tensor([[expected]]))


@pytest.mark.parametrize(("residual", "parts"), [("global", (0.5, 0.5)), ("local", (0.25, 0.0625))])
def test_what_gates_mix_with(residual: str, parts: tuple[float, float]) -> None:
    """Blocks that answer 0 and gates half open leave only what is mixed with."""
    network = made(replace(SMALL, residual=residual))  # type: ignore[arg-type]
    for layer in network.layers:
        assert isinstance(layer, GraphLayer)
        last = layer.feed_forward[2]
        assert isinstance(last, nn.Linear)
        for silent in (layer.attention.out, last, layer.attention_gate.weigh):
            nn.init.zeros_(silent.weight)
        nn.init.zeros_(layer.forward_gate.weigh.weight)
        nn.init.zeros_(layer.attention.out.bias)
        nn.init.zeros_(last.bias)
    found = network(states())
    for layer_state, part in zip(found.layers, parts, strict=True):
        torch.testing.assert_close(layer_state, part * states())


def moved_by(network: GraphTransformer, region: int) -> torch.Tensor:
    """Which regions' first layer changes where one region's state does."""
    first = states(1)
    other = first.clone()
    other[0, region, 0] += 1  # one number: a norm takes away what is added to all
    moved: torch.Tensor = network(first).layers[0][0] - network(other).layers[0][0]
    return moved.abs().amax(dim=1) > 1e-12


def test_a_mask_keeps_all_but_neighbours_out() -> None:
    masked = made(replace(SMALL, neighbours=CHAIN, neighbours_only=True))
    assert moved_by(masked, 0).tolist() == [True, True, False]
    assert moved_by(masked, 1).tolist() == [True, True, True]
    embedded = made(replace(SMALL, neighbours=CHAIN))
    assert moved_by(embedded, 0).tolist() == [True, True, True]


def test_neighbours_differ_by_their_embedding_alone() -> None:
    network = made(replace(SMALL, neighbours=CHAIN, edges=False))
    between = network.between()
    assert torch.equal(between[0, 1], network.neighbourhood.weight[1])
    assert torch.equal(between[2, 0], network.neighbourhood.weight[0])


@pytest.mark.parametrize(
    ("location", "edges", "same"),
    [(False, False, True), (True, False, False), (False, True, False)],
)
def test_regions_are_exchangeable_without_places_and_edges(
    location: bool, edges: bool, same: bool
) -> None:
    network = made(replace(SMALL, location=location, edges=edges))
    order = torch.tensor([2, 0, 1])
    turned = network(states()[:, order]).layers[-1]
    expected = network(states()).layers[-1][:, order]
    assert torch.allclose(turned, expected, atol=1e-12) is same


def test_edges_learn() -> None:
    network = made(SMALL)
    network(states()).layers[-1].square().sum().backward()
    edges = dict(network.named_parameters())["edges"]
    assert edges.shape == (3, 3, 4)
    assert edges.grad is not None
    assert (edges.grad.abs().amax(dim=2) > 0).all()


def test_published_edges_never_learn() -> None:
    network = made(replace(SMALL, published_edges=True))
    network(states()).layers[-1].square().sum().backward()
    assert "edges" not in dict(network.named_parameters())
    assert "edges" in network.state_dict()
    assert not network.state_dict()["edges"].requires_grad
    layer = network.layers[0]
    assert isinstance(layer, GraphLayer)
    projection = layer.attention.edges.weight
    assert projection.grad is not None
    assert projection.grad.abs().max() > 0


def test_published_sizes() -> None:
    with torch.device("meta"):
        network = GraphTransformer(Graph(regions=18, width=1024))
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    assert len(network.layers) == 2
    assert shapes["edges"] == (18, 18, 1024)
    assert shapes["layers.1.attention.queries.weight"] == (8 * 64, 1024)
    assert shapes["layers.1.feed_forward.0.weight"] == (4096, 1024)
    assert shapes["layers.1.forward_gate.weigh.weight"] == (1, 3 * 1024)
