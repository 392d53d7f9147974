"""The small residual network."""

import pytest
import torch

from encoders.encoder import EncoderError
from encoders.networks.known import build

CONFIG = {"in_channels": 1, "width": 2, "mirrored": True}


def test_exposure_tells_nothing() -> None:
    network = build("small resnet", CONFIG, "normed mean").eval()
    batch = torch.rand(3, 1, 48, 48)
    with torch.inference_mode():
        assert torch.allclose(network(batch), network(batch * 0.3 + 0.2), atol=1e-4)


def test_once_it_has_learned_a_mirror_image_is_the_same() -> None:
    network = build("small resnet", CONFIG, "normed mean").eval()
    batch = torch.rand(2, 1, 40, 48)
    with torch.inference_mode():
        assert torch.allclose(network(batch), network(batch.flip(3)), atol=1e-6)
        alone = build("small resnet", {**CONFIG, "mirrored": False}, "normed mean").eval()
        assert not torch.allclose(alone(batch), alone(batch.flip(3)), atol=1e-3)


def test_while_it_learns_each_number_has_mean_0_and_deviation_1() -> None:
    network = build("small resnet", CONFIG, "normed mean").train()
    found = network(torch.rand(64, 1, 32, 32))
    assert found.shape == (64, 16)
    assert torch.allclose(found.mean(0), torch.zeros(16), atol=1e-5)
    assert torch.allclose(found.var(0, unbiased=False), torch.ones(16), atol=1e-2)


@pytest.mark.parametrize(
    ("config", "pooling"),
    [
        ({"in_channels": 0, "width": 2}, "normed mean"),
        ({"in_channels": 1, "width": 0}, "normed mean"),
        ({"in_channels": 1}, "normed mean"),
        (CONFIG, "mean"),
    ],
)
def test_what_cannot_be_built(config: dict[str, int], pooling: str) -> None:
    with pytest.raises(EncoderError, match=r"network small resnet: .*look at its config"):
        build("small resnet", config, pooling)
