"""The graph transformer of CheXtriev (Akash et al., MICCAI 2024, section 2.2), as its code has it.

Where the paper's equations and its published numbers part, the numbers' way is taken: pre-norm,
a feed-forward block in each layer, one gate for each region, heads concatenated in every layer.
The paper writes ReLU(LayerNorm) after each layer, no feed-forward and a mean of heads in the last.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

Residual = Literal["global", "local"]


class NodeStates(NamedTuple):
    """What a graph of regions knows after each step; every tensor (images, regions, width).

    Attributes:
        first: h(0), what the region encoder says of each region, without its location.
        layers: h(1) to h(L); none where there is no graph.
    """

    first: Tensor
    layers: tuple[Tensor, ...]


@dataclass(frozen=True, kw_only=True)
class Graph:
    """The graph transformer's sizes and switches (paper, table 1).

    Attributes:
        regions: nodes of the graph.
        width: of a node's state.
        layers: how many follow each other.
        heads: of each attention.
        head_width: D_T of the paper.
        neighbours: which regions are each one's neighbours, as ``adjacency.checked`` gives it;
            None for all of all.
        neighbours_only: attend to neighbours alone, as the sums over N(i) of the paper say. The
            published code lets all attend to all, and says who is a neighbour by an embedding.
        location: whether each region has an embedding of its own.
        edges: whether each pair of regions has one.
        published_edges: keep the pairs' embeddings as they were drawn, as the published code does
            by mistake; only their projections learn then.
        residual: what a gate mixes a block's answer with: the node's first state (``global``) or
            the one before the block (``local``).
    """

    regions: int
    width: int
    layers: int = 2
    heads: int = 8
    head_width: int = 64
    neighbours: Tensor | None = None
    neighbours_only: bool = False
    location: bool = True
    edges: bool = True
    published_edges: bool = False
    residual: Residual = "global"


class GraphTransformer(nn.Module):
    """Layers of attention between regions, with what lies between each two of them.

    Args:
        graph: sizes and switches; ``neighbours`` checked already.
    """

    adjacency: Tensor

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        count, width = graph.regions, graph.width
        given = graph.neighbours
        everyone = torch.ones(count, count, dtype=torch.int64)
        # saved with the weights: a vector means nothing without the graph that it was made with
        self.register_buffer("adjacency", everyone if given is None else given.clone())
        self.neighbourhood = nn.Embedding(2, width)
        self.locations = nn.Embedding(count, width) if graph.location else None
        self.layers = nn.ModuleList(GraphLayer(graph) for _ in range(graph.layers))
        self._neighbours_only = graph.neighbours_only
        self._make_edges(graph)

    def _make_edges(self, graph: Graph) -> None:
        if not graph.edges:
            self.edges = None
            return
        drawn = torch.empty(graph.regions, graph.regions, graph.width)
        nn.init.xavier_uniform_(drawn)
        if graph.published_edges:
            self.register_buffer("edges", drawn)
        else:
            self.edges = nn.Parameter(drawn)

    def forward(self, first: Tensor) -> NodeStates:
        """The states after each layer.

        Args:
            first: h(0), float32, shape (images, regions, width).
        """
        between, mask = self.between(), self._mask()
        # the code adds it in every layer to what queries, keys and values are made of; the paper
        # once to h(0), where it would be a part of every image's vector, and the same in all
        places = None if self.locations is None else self.locations.weight
        found: list[Tensor] = []
        state = first
        for layer in self.layers:
            state = layer(state, first, between, places, mask)
            found.append(state)
        return NodeStates(first, tuple(found))

    def between(self) -> Tensor:
        """e(i, j): an embedding of being neighbours or not, and the pair's own where there are.

        Returns:
            Shape (regions, regions, width); the same for all layers, which project it each.
        """
        known: Tensor = self.neighbourhood(self.adjacency)
        return known if self.edges is None else known + self.edges

    def _mask(self) -> Tensor | None:
        return self.adjacency.bool() if self._neighbours_only else None


class GraphLayer(nn.Module):
    """Attention and feed-forward, each on normalised states and followed by a gate."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        width = graph.width
        self.attention_norm = nn.LayerNorm(width)
        self.attention = EdgeAttention(width, graph.heads, graph.head_width)
        self.attention_gate = Gate(width)
        self.forward_norm = nn.LayerNorm(width)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )
        self.forward_gate = Gate(width)
        self._global = graph.residual == "global"

    def forward(
        self,
        state: Tensor,
        first: Tensor,
        between: Tensor,
        places: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        """The next state, shape (images, regions, width).

        Args:
            state: h(l), the same shape.
            first: h(0), the same shape.
            between: e, shape (regions, regions, width).
            places: location embeddings, shape (regions, width).
            mask: True where a region attends to another, shape (regions, regions).
        """
        nodes = self.attention_norm(state)
        nodes = nodes if places is None else nodes + places
        heard = self.attention(nodes, between, mask)
        state = self.attention_gate(heard, first if self._global else state)
        said = self.feed_forward(self.forward_norm(state))
        found: Tensor = self.forward_gate(said, first if self._global else state)
        return found


class EdgeAttention(nn.Module):
    """Multi-head attention with what lies between two nodes added to key and value.

    alpha(i, j) = softmax over j of q(i) . (k(j) + e(i, j)) / sqrt(head_width), and the answer to i
    is the sum over j of alpha(i, j) (v(j) + e(i, j)), heads side by side, projected to ``width``.
    Key and value get the same projection of e.
    """

    def __init__(self, width: int, heads: int, head_width: int) -> None:
        super().__init__()
        inner = heads * head_width
        self.queries = nn.Linear(width, inner)
        self.keys = nn.Linear(width, inner)
        self.values = nn.Linear(width, inner)
        self.edges = nn.Linear(width, inner)
        self.out = nn.Linear(inner, width)
        self._heads, self._scale = heads, head_width**-0.5

    def forward(self, nodes: Tensor, between: Tensor, mask: Tensor | None = None) -> Tensor:
        """What each node hears, shape (images, regions, width).

        Args:
            nodes: the same shape.
            between: shape (regions, regions, width): of the node that asks, and the one that it
                asks.
            mask: True where one may be asked, shape (regions, regions); each row has one at least.
        """
        q, k, v = (self._split(to(nodes)) for to in (self.queries, self.keys, self.values))
        e = self._split(self.edges(between))  # (asking, heads, asked, head_width)
        # q . (k + e) in two parts: k + e itself would be regions times as large as k for each image
        scores = q @ k.transpose(-1, -2) + torch.einsum("nhid,ihjd->nhij", q, e)
        scores = scores * self._scale
        if mask is not None:
            scores = scores.masked_fill(~mask, float("-inf"))
        alpha = scores.softmax(dim=-1)
        heard = alpha @ v + torch.einsum("nhij,ihjd->nhid", alpha, e)
        found: Tensor = self.out(heard.transpose(1, 2).flatten(2))
        return found

    def _split(self, joint: Tensor) -> Tensor:
        """From (…, regions, inner) to (…, heads, regions, head_width)."""
        return joint.reshape(*joint.shape[:-1], self._heads, -1).transpose(-2, -3)


class Gate(nn.Module):
    """One number for each node that mixes a block's answer x with an earlier state h.

    beta = sigmoid(w . [x, h, x - h]); the answer is beta x + (1 - beta) h. The paper's beta is one
    minus this one, which is the same for a w that is learned.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weigh = nn.Linear(3 * width, 1, bias=False)

    def forward(self, found: Tensor, earlier: Tensor) -> Tensor:
        """Shape (images, regions, width), as both."""
        beta = torch.sigmoid(self.weigh(torch.cat((found, earlier, found - earlier), dim=-1)))
        return found * beta + earlier * (1 - beta)
