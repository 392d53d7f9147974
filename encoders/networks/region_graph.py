"""CheXtriev (Akash et al., MICCAI 2024): an image as a graph of its anatomical regions.

Each region is cropped from the image as it is, encoded alone, and put in relation to the others by
a graph transformer. ``VARIANTS`` are the rows of the paper's table 1.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from torch import Tensor, nn

from encoders.encoder import EncoderError
from encoders.networks import adjacency
from encoders.networks.graph_transformer import Graph, GraphTransformer, NodeStates
from encoders.networks.pooled import Pool, PooledNetwork
from encoders.networks.region_encoder import RegionEncoder, region_encoder

_SHARED = {"graph": True, "adjacency": "full", "location": False, "edges": False}

VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "V0": {**_SHARED, "graph": False, "residual": "global"},
    "V1": {**_SHARED, "adjacency": "handcrafted", "residual": "global"},
    "V2": {**_SHARED, "residual": "global"},
    "V3": {**_SHARED, "location": True, "residual": "global"},
    "V4": {**_SHARED, "location": True, "edges": True, "residual": "local"},
    "V5": {**_SHARED, "edges": True, "residual": "global"},
    "V6": {**_SHARED, "location": True, "edges": True, "residual": "global"},
}
"""The switches of the paper's table 1.

V0: no graph, the mean of the regions. V1: neighbours by AnaXNet's matrix ("shared binary"). V2: all
are neighbours ("shared uniform"). V3: and each region knows its place. V4 to V6: and each pair has
an edge of its own; V4 with local gates (the published flags of V4 make gates global and train on
regions alone; here it is the paper's row, of which the stored results bear the name), V5 without
places, V6 all.
"""

_ENCODER = {"in_channels", "regions", "backbone", "backbone_config", "mlp"}
_OWN = {"variant", "graph", "adjacency", "neighbours"}
_GRAPH = {field.name for field in fields(Graph)} - {"regions", "width", "neighbours"}


class RegionGraph(nn.Module):
    """The region encoder and, unless it is V0, the graph transformer on what it says.

    Args:
        regions: the encoder of crops.
        graph: None where regions stay apart.
    """

    def __init__(self, regions: RegionEncoder, graph: GraphTransformer | None) -> None:
        super().__init__()
        self.regions = regions
        self.graph = graph

    def forward(self, crops: Tensor) -> NodeStates:
        """The states of every region.

        Args:
            crops: float32, shape (images, regions * channels, size, size), all channels of the
                first region first.
        """
        first = self.regions(crops)
        if self.graph is None:
            return NodeStates(first, ())
        found: NodeStates = self.graph(first)
        return found


def region_graph(config: Mapping[str, Any], pooling: str) -> PooledNetwork:
    """The network of a variant, with random weights.

    Args:
        config: ``variant``, by ``VARIANTS`` (V6), whose switches may stand here too and then
            count; ``neighbours``, rows of 0 and 1, where ``adjacency`` is "handcrafted";
            ``layers``, ``heads``, ``head_width``, ``neighbours_only`` and ``published_edges`` of
            ``Graph``; and what ``region_encoder`` takes.
        pooling: "all layers" for what is searched with, the mean over regions of h(0) and the sum
            of all later states; "last layer" for what the paper classifies.

    Raises:
        EncoderError: something in ``config`` or ``pooling`` is not known or cannot be.
    """
    asked = _whole(config)
    regions = region_encoder(asked)
    graph = _graph(asked, regions.width) if asked["graph"] else None
    return PooledNetwork(RegionGraph(regions, graph), _pool(pooling))


def retrieval_vectors(found: NodeStates) -> Tensor:
    """The mean over regions of h(0) + h(1) + ... + h(L), shape (images, width).

    The paper speaks of the last layer only; its code adds all of them up.
    """
    return (found.first + sum(found.layers)).mean(dim=1)


def last_states(found: NodeStates) -> Tensor:
    """The mean over regions of h(L), which the paper classifies; of h(0) without a graph.

    Returns:
        Shape (images, width).
    """
    return (found.layers[-1] if found.layers else found.first).mean(dim=1)


def _pool(pooling: str) -> Pool:
    known: dict[str, Pool] = {"all layers": retrieval_vectors, "last layer": last_states}
    if pooling not in known:
        raise EncoderError(f"no pooling {pooling!r} of regions; there are {', '.join(known)}")
    return known[pooling]


def _whole(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config with its variant's switches."""
    if unknown := config.keys() - (_ENCODER | _OWN | _GRAPH):
        raise EncoderError(f"a graph of regions has no {', '.join(sorted(unknown))}")
    variant = config.get("variant", "V6")
    if variant not in VARIANTS:
        raise EncoderError(f"no variant {variant!r}; there are {', '.join(VARIANTS)}")
    asked = {**VARIANTS[variant], **config}
    for name, choice in {
        "adjacency": ("full", "handcrafted"),
        "residual": ("global", "local"),
    }.items():
        if asked[name] not in choice:
            raise EncoderError(f"{name} is {asked[name]!r}; it is {' or '.join(choice)}")
    return asked


def _graph(asked: Mapping[str, Any], width: int) -> GraphTransformer:
    handcrafted = asked["adjacency"] == "handcrafted"
    rows = asked.get("neighbours")
    neighbours = adjacency.checked(rows, asked["regions"]) if handcrafted else None
    rest = {name: value for name, value in asked.items() if name in _GRAPH}
    graph = Graph(regions=asked["regions"], width=width, neighbours=neighbours, **rest)
    for name in ("layers", "heads", "head_width"):
        if getattr(graph, name) < 1:
            raise EncoderError(f"{name} is {getattr(graph, name)}; it is above 0")
    return GraphTransformer(graph)
