"""The small residual network, alone and beside the descriptor."""

import numpy as np
import pytest
import torch

from encoders.baseline import describe
from encoders.baseline_size import DIMENSION
from encoders.encoder import EncoderError
from encoders.networks.beside_descriptor import Beside
from encoders.networks.known import build
from encoders.preprocessing import Preprocessing
from encoders.transforms import transforms_of

CONFIG = {"in_channels": 1, "width": 2, "mirrored": True}
INNER = {"builder": "small resnet", "config": CONFIG, "pooling": "normed mean"}
SEEN = Preprocessing(size=48, resize="square", mean=(0.5,), std=(0.25,), descriptor=True)


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


def test_the_cosine_beside_the_descriptor_is_the_weighted_mean_of_both() -> None:
    share = 0.5
    whole = build("beside the descriptor", {"network": INNER, "share": share}, "concatenated")
    body = whole.eval().body
    assert isinstance(body, Beside)
    images = np.random.default_rng(1).random((2, 60, 50), np.float32)
    batch = torch.stack([transforms_of(SEEN)(image) for image in images])
    assert batch.shape == (2, SEEN.channels, 48, 48) == (2, 2, 48, 48)
    with torch.inference_mode():
        one, other = torch.nn.functional.normalize(whole(batch), dim=1)
        learned = torch.nn.functional.normalize(body.network(batch[:, :1]), dim=1)
    alike = float(describe(images[0]) @ describe(images[1]))
    expected = (alike + share**2 * float(learned[0] @ learned[1])) / (1 + share**2)
    assert float(one @ other) == pytest.approx(expected, abs=1e-5)
    assert one.shape == (DIMENSION + 16,)


def test_the_descriptor_stands_in_the_last_channel_row_by_row() -> None:
    image = np.random.default_rng(2).random((70, 64), np.float32)
    plane = transforms_of(SEEN)(image)[-1].numpy().ravel()
    assert np.array_equal(plane[:DIMENSION], describe(image))
    assert not plane[DIMENSION:].any()


@pytest.mark.parametrize(
    ("config", "pooling"),
    [
        ({"network": INNER, "share": 0}, "concatenated"),
        ({"network": INNER, "share": float("nan")}, "concatenated"),
        ({"network": INNER, "share": 1}, "averaged"),
        ({"share": 1}, "concatenated"),
    ],
)
def test_what_cannot_stand_beside_it(config: dict[str, object], pooling: str) -> None:
    with pytest.raises(EncoderError, match=r"beside the descriptor: .*look at its config"):
        build("beside the descriptor", config, pooling)


def test_a_descriptor_needs_the_room() -> None:
    small = Preprocessing(size=32, resize="square", mean=(0.5,), std=(0.25,), descriptor=True)
    with pytest.raises(ValueError, match="a larger size"):
        small.must_be_possible()
