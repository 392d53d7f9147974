"""Networks on maps against a forward pass written out, and what learns of them."""

from typing import Any

import numpy as np
import pytest
import torch
from monai.networks.nets.densenet import DenseNet121
from torch import Tensor, nn

from encoders.declaration import Declaration
from encoders.networks.densenet_relevance import relative, relevance_map
from encoders.networks.pooled import PooledNetwork
from encoders.networks.saliency_nets import Levels, OnMaps, densenet121_on_maps
from encoders.torch_encoder import build
from tests.encoders.plain_networks import densenet

MEAN, STD = 0.5, 0.25
BLOCKS = (2, 2)
CONFIG = {
    "in_channels": 1,
    "mean": [MEAN],
    "std": [STD],
    "init_features": 4,
    "growth_rate": 2,
    "block_config": BLOCKS,
}
BLACK, WHITE = (0 - MEAN) / STD, (1 - MEAN) / STD


def network(**changed: Any) -> PooledNetwork:
    torch.manual_seed(4)
    return densenet121_on_maps(CONFIG | changed, "mean after ReLU").eval()


def inputs(count: int = 3, channels: int = 1, rows: int = 48) -> Tensor:
    gray = torch.rand(count, channels, rows, 40, generator=torch.Generator().manual_seed(2))
    return (gray - MEAN) / STD


def body_of(network: PooledNetwork) -> OnMaps:
    assert isinstance(network.body, OnMaps)
    return network.body


def vectors_by_hand(network: PooledNetwork, batch: Tensor, second: str) -> Tensor:
    """Maps as gray images through the statistics, then a plain DenseNet."""
    first = body_of(network).first
    assert isinstance(first, DenseNet121)
    maps = relevance_map(first, batch, BLACK, WHITE)
    tensors = {
        f"features.{name.removeprefix(second).replace('.layers', '')}": tensor
        for name, tensor in network.body.state_dict().items()
        if name.startswith(second)
    }
    return densenet(tensors, (maps - MEAN) / STD, BLOCKS)


def test_the_second_network_sees_the_firsts_maps_as_gray_images() -> None:
    made = network()
    with torch.inference_mode():
        found = made(inputs())
        expected = vectors_by_hand(made, inputs(), "second.")
    # 4 features and 2 layers of 2, halved, and 2 layers of 2
    assert found.shape == (3, 8)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_without_a_second_the_first_sees_its_own_maps() -> None:
    made = network(second="first's own")
    assert not any(name.startswith("second") for name in made.body.state_dict())
    with torch.inference_mode():
        expected = vectors_by_hand(made, inputs(), "first.features.")
        np.testing.assert_allclose(made(inputs()), expected, rtol=1e-4, atol=1e-5)


def test_query_and_catalogue_are_scaled_alike() -> None:
    made, batch = network(), inputs()
    with torch.inference_mode():
        together = made(batch)
        for image, vector in zip(batch, together, strict=True):
            np.testing.assert_allclose(made(image[None])[0], vector, rtol=1e-4, atol=1e-5)


def test_tensors_are_named_as_monai_names_them() -> None:
    whole = DenseNet121(2, 1, 1, **{name: CONFIG[name] for name in list(CONFIG)[3:]})  # type: ignore
    names = {f"first.{name}" for name in whole.state_dict()}
    names |= {f"second.{name}" for name in whole.features.state_dict()}
    assert set(network().body.state_dict()) == names


def test_densenet121_has_vectors_of_1024_and_channels_share_the_map() -> None:
    config = {"in_channels": 3, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
    declared = Declaration(
        name="ig",
        summary="",
        network="encoders.networks.saliency_nets:densenet121_on_maps",
        config=config,
        pooling="mean after ReLU",
        dimension=1024,
        licence="",
    )
    with torch.inference_mode():
        assert build(declared).eval()(inputs(2, channels=3)).shape == (2, 1024)


@pytest.mark.parametrize(
    ("config", "gray", "expected"),
    [
        ({"mean": [0.5], "std": [0.25]}, 1.0, [2.0]),
        ({"mean": [0.5], "std": [0.25]}, 0.0, [-2.0]),
        ({"mean": [0], "std": [1], "low": -1024, "high": 1024}, 0.25, [-512.0]),
        # 8 bits of 51 by Keras: 51 / 255, less the mean, by the deviation
        (
            {"mean": [0.485, 0.456], "std": [0.229, 0.224]},
            51 / 255,
            [-0.285 / 0.229, -0.256 / 0.224],
        ),
    ],
)
def test_gray_goes_through_range_and_statistics(
    config: dict[str, Any], gray: float, expected: list[float]
) -> None:
    found = Levels(config, len(expected))(torch.full((1, 1, 2, 2), gray))
    assert found.shape == (1, len(expected), 2, 2)
    np.testing.assert_allclose(found[0, :, 1, 1], expected, rtol=1e-6)


def test_an_even_map_stays_finite() -> None:
    assert relative(torch.zeros(2, 3, 4, 4)).tolist() == torch.zeros(2, 1, 4, 4).tolist()
    made = network()
    for module in made.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.zeros_(module.weight)
    with torch.inference_mode():
        assert bool(torch.isfinite(made(torch.full((2, 1, 48, 40), BLACK))).all())


def test_the_first_stays_as_it_is_while_the_second_learns() -> None:
    made = network().train()
    body = body_of(made)
    before = {name: tensor.clone() for name, tensor in body.first.state_dict().items()}
    made(inputs()).square().sum().backward()
    optimiser = torch.optim.SGD([one for one in made.parameters() if one.requires_grad], 1.0)
    optimiser.step()
    for name, tensor in body.first.state_dict().items():
        np.testing.assert_array_equal(tensor, before[name], err_msg=name)
    assert body.second is not None
    for name, parameter in body.second.named_parameters():
        assert parameter.grad is not None, name
    assert body.second.training
    assert not body.first.training


def test_a_network_on_its_own_maps_has_nothing_to_learn() -> None:
    assert not any(one.requires_grad for one in network(second="first's own").parameters())


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"mean": [0.5, 0.5]}, r"mean is \[0.5, 0.5\].*here 1"),
        ({"mean": 0.5}, "mean is 0.5"),
        ({"std": [float("nan")]}, r"std is \[nan\]"),
        ({"std": [0]}, "std must be above 0"),
        ({"low": 1, "high": 1}, "high above low"),
        ({"second": "another"}, "second is 'another'"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        network(**changed)


def test_statistics_must_be_told() -> None:
    config = {name: value for name, value in CONFIG.items() if name != "std"}
    with pytest.raises(ValueError, match="lacks std"):
        densenet121_on_maps(config, "mean after ReLU")
