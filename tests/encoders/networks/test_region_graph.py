"""CheXtriev's variants: each builds, runs, and differs by its switches alone."""

from typing import Any

import pytest
import torch
from torch import nn

from encoders.encoder import EncoderError
from encoders.networks.graph_transformer import GraphTransformer, NodeStates
from encoders.networks.pooled import PooledNetwork
from encoders.networks.region_graph import (
    VARIANTS,
    RegionGraph,
    last_states,
    region_graph,
    retrieval_vectors,
)
from tests.encoders.networks.small_regions import CHAIN
from tests.encoders.networks.small_regions import SMALL as SMALL_ENCODER

SMALL: dict[str, Any] = {**SMALL_ENCODER, "heads": 2, "head_width": 4}


def made(pooling: str = "all layers", **told: Any) -> PooledNetwork:
    torch.manual_seed(3)
    return region_graph({**SMALL, **told}, pooling).eval()


def crops(images: int = 2) -> torch.Tensor:
    return torch.randn(images, 3, 64, 64, generator=torch.Generator().manual_seed(8))


def graph_of(network: PooledNetwork) -> GraphTransformer | None:
    assert isinstance(network.body, RegionGraph)
    return network.body.graph


@pytest.mark.parametrize(
    ("variant", "neighbours", "location", "edges", "residual"),
    [
        ("V1", CHAIN, False, False, "global"),
        ("V2", None, False, False, "global"),
        ("V3", None, True, False, "global"),
        ("V4", None, True, True, "local"),
        ("V5", None, False, True, "global"),
        ("V6", None, True, True, "global"),
    ],
)
def test_variants_are_the_rows_of_table_1(
    variant: str, neighbours: Any, location: bool, edges: bool, residual: str
) -> None:
    network = made(variant=variant, neighbours=CHAIN)
    graph = graph_of(network)
    assert graph is not None
    assert graph.adjacency.tolist() == (neighbours or [[1] * 3] * 3)
    assert (graph.locations is not None) is location
    assert (graph.edges is not None) is edges
    assert VARIANTS[variant]["residual"] == residual
    assert network(crops()).shape == (2, 8)


def test_v0_is_the_mean_of_the_regions() -> None:
    network = made(variant="V0")
    assert graph_of(network) is None
    found = network.body(crops())
    assert found.layers == ()
    torch.testing.assert_close(network(crops()), found.first.mean(dim=1))


def test_variants_with_the_same_weights_differ_by_their_switch() -> None:
    """V4 and V6 have the same tensors; so have V2 and V1."""
    pairs = [("V6", "V4"), ("V2", "V1")]
    for one, other in pairs:
        first, second = made(variant=one), made(variant=other, neighbours=CHAIN)
        assert not torch.allclose(first(crops()), second(crops()), atol=1e-4)
        assert first.state_dict().keys() == second.state_dict().keys()


def test_all_layers_are_summed_up_and_the_last_is_classified() -> None:
    """By hand: two regions, two layers."""
    first = torch.tensor([[[1.0, 0.0], [3.0, 2.0]]])
    layers = (
        torch.tensor([[[10.0, 20.0], [30.0, 40.0]]]),
        torch.tensor([[[0.0, 6.0], [2.0, 0.0]]]),
    )
    assert retrieval_vectors(NodeStates(first, layers)).tolist() == [[23.0, 34.0]]
    assert last_states(NodeStates(first, layers)).tolist() == [[1.0, 3.0]]
    assert last_states(NodeStates(first, ())).tolist() == [[2.0, 1.0]]


def test_poolings_are_these_functions() -> None:
    network, last = made(), made("last layer")
    found = network.body(crops())
    torch.testing.assert_close(network(crops()), retrieval_vectors(found))
    torch.testing.assert_close(last(crops()), last_states(found))


def test_h0_of_a_region_is_of_its_own_crop() -> None:
    network = made()
    other = crops()
    other[:, 1] += 1
    before, after = network.body(crops()).first, network.body(other).first
    changed = (before - after).abs().amax(dim=(0, 2)) > 1e-6
    assert changed.tolist() == [False, True, False]


def test_images_of_a_batch_do_not_see_each_other() -> None:
    network = made()
    together = network(crops(3))
    torch.testing.assert_close(network(crops(3)[1:2]), together[1:2])


def test_switches_of_a_config_count_before_its_variants() -> None:
    graph = graph_of(made(variant="V6", location=False, layers=3))
    assert graph is not None
    assert graph.locations is None
    assert len(graph.layers) == 3


@pytest.mark.parametrize("published", [False, True])
def test_weights_carry_edges_and_neighbours(published: bool) -> None:
    told: dict[str, Any] = {
        "variant": "V6",
        "adjacency": "handcrafted",
        "published_edges": published,
    }
    network = made(**told, neighbours=CHAIN)
    torch.manual_seed(99)
    other = region_graph({**SMALL, **told, "neighbours": [[1] * 3] * 3}, "all layers").eval()
    assert not torch.allclose(other(crops()), network(crops()))
    other.body.load_state_dict(network.body.state_dict())
    assert torch.equal(other(crops()), network(crops()))


def test_one_step_of_learning_moves_edges_and_the_loss_falls() -> None:
    network = made(variant="V6")
    before = {name: tensor.clone() for name, tensor in network.body.named_parameters()}
    optimiser = torch.optim.SGD(network.parameters(), lr=1e-3)
    loss = network(crops()).square().mean()
    loss.backward()
    optimiser.step()
    assert network(crops()).square().mean() < loss
    moved = {
        name for name, tensor in network.body.named_parameters() if (tensor != before[name]).any()
    }
    assert {"graph.edges", "graph.locations.weight", "regions.mlp.0.weight"} <= moved


@pytest.mark.parametrize(
    ("told", "pooling", "reason"),
    [
        ({"variant": "V7"}, "all layers", "no variant 'V7'; there are V0, V1"),
        ({"location_embedding": True}, "all layers", "has no location_embedding"),
        ({"residual": "both"}, "all layers", "residual is 'both'; it is global or local"),
        ({"adjacency": "binary"}, "all layers", "adjacency is 'binary'"),
        ({"variant": "V1"}, "all layers", r"needs config\['neighbours'\]"),
        ({"variant": "V1", "neighbours": [[1]]}, "all layers", "not 3 x 3"),
        ({"heads": 0}, "all layers", "heads is 0"),
        ({}, "mean", "no pooling 'mean' of regions; there are all layers, last layer"),
    ],
)
def test_what_cannot_be_built_is_told(told: dict[str, Any], pooling: str, reason: str) -> None:
    with pytest.raises(EncoderError, match=reason):
        made(pooling, **told)


def test_published_network_has_the_papers_sizes() -> None:
    config = {"in_channels": 3, "regions": 18, "backbone": "resnet50", "mlp": (1024, 1024)}
    with torch.device("meta"):
        body = region_graph(config, "all layers").body
    assert isinstance(body, RegionGraph)
    layers = [part for part in body.regions.mlp if isinstance(part, nn.Linear)]
    sizes = [(part.in_features, part.out_features) for part in layers]
    assert sizes == [(2048, 1024), (1024, 1024)]
    assert body.graph is not None
    assert len(body.graph.layers) == 2
