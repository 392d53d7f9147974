import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from encoders.declaration import Declaration, OwnFile
from encoders.encoder import EncoderError, EncoderOptions
from encoders.image import GrayscaleImage
from encoders.networks.ensemble import ensemble
from encoders.networks.known import build
from encoders.networks.pooled import PooledNetwork
from encoders.preprocessing import Preprocessing
from encoders.torch_encoder import load

VIT = {
    "in_channels": 1,
    "img_size": 32,
    "patch_size": 16,
    "hidden_size": 12,
    "mlp_dim": 16,
    "num_layers": 1,
    "num_heads": 2,
}


def hashing(bits: int) -> dict[str, Any]:
    config = {"in_channels": 1, "img_size": 32, "bits": bits}
    return {"builder": "hash net", "config": config, "pooling": "continuous"}


def answering(pooling: str, *answers: list[float]) -> PooledNetwork:
    """Of members that answer so, whatever they see."""
    made = ensemble({"members": [hashing(len(one)) for one in answers]}, pooling)
    with torch.no_grad():
        for member, answer in zip(made.body.members, answers, strict=True):  # type: ignore[arg-type]
            member.hash.weight.zero_()
            member.hash.bias.copy_(torch.tensor(answer))
    return made.eval()


def vectors_of(made: PooledNetwork, batch: Tensor) -> Tensor:
    with torch.inference_mode():
        found: Tensor = made(batch)
    return found


@pytest.mark.parametrize(
    ("pooling", "answers", "expected"),
    [
        ("concatenated", [[3.0, 4.0], [0.0, 5.0]], [0.6, 0.8, 0, 1]),
        ("concatenated", [[3.0, 4.0], [2.0]], [0.6, 0.8, 1]),
        ("concatenated", [[3.0, 4.0], [0.0, 0.0]], [0.6, 0.8, 0, 0]),
        ("averaged", [[3.0, 4.0], [0.0, 5.0]], [0.3, 0.9]),
        ("averaged", [[3.0, 4.0], [-0.03, -0.04]], [0, 0]),
        ("averaged", [[3.0, 4.0]], [0.6, 0.8]),
    ],
)
def test_vectors_by_hand(pooling: str, answers: list[list[float]], expected: list[float]) -> None:
    found = vectors_of(answering(pooling, *answers), torch.rand(2, 1, 32, 32))
    np.testing.assert_allclose(found, [expected, expected], atol=1e-7)


def test_three_transformers_answer_as_each_alone_and_their_cosines_are_averaged() -> None:
    torch.manual_seed(3)
    member = {"builder": "vit", "config": VIT, "pooling": "class token"}
    made = ensemble({"members": [member] * 3}, "concatenated").eval()
    images = torch.rand(4, 1, 32, 32)
    state = made.body.state_dict()
    assert {name.split(".")[1] for name in state} == {"0", "1", "2"}
    cosines = []
    for number in range(3):
        alone = build("vit", VIT, "class token").eval()
        own = f"members.{number}."
        alone.body.load_state_dict(
            {name.removeprefix(own): one for name, one in state.items() if name.startswith(own)}
        )
        vectors = vectors_of(alone, images)
        units = vectors / vectors.norm(dim=1, keepdim=True)
        cosines.append(units @ units.T)
        found = vectors_of(made, images)[:, 12 * number : 12 * (number + 1)]
        torch.testing.assert_close(found, units)
    joined = vectors_of(made, images)
    joined = joined / joined.norm(dim=1, keepdim=True)
    torch.testing.assert_close(joined @ joined.T, torch.stack(cosines).mean(0))


def test_the_node_loads_it_and_its_vectors_are_the_ensembles_own(tmp_path: Path) -> None:
    torch.manual_seed(6)
    members = [{"builder": "vit", "config": VIT, "pooling": "class token"}, hashing(4)]
    made = ensemble({"members": members}, "concatenated").eval()
    path = tmp_path / "weights.safetensors"
    save_file(made.body.state_dict(), path)
    declaration = Declaration(
        name="several",
        summary="",
        network="encoders.networks.ensemble:ensemble",
        config={"members": members},
        source=OwnFile(),
        preprocessing=Preprocessing(
            size=32, resize="square", eight_bits=False, mean=(0.0,), std=(1.0,)
        ),
        pooling="concatenated",
        dimension=16,
        licence="",
    )
    encoder = load(declaration, EncoderOptions(weights=path, device="cpu"))
    pixels = np.random.default_rng(2).random((32, 32), np.float32)
    found = encoder.infer([encoder.prepare(GrayscaleImage(pixels))])
    expected = vectors_of(made, torch.from_numpy(pixels)[None, None]) / 2**0.5
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_copy_for_another_device_answers_for_itself() -> None:
    made = answering("averaged", [3.0, 4.0])
    copied = copy.deepcopy(made)
    with torch.no_grad():
        made.body.members[0].hash.bias.zero_()  # type: ignore[index,union-attr]
    np.testing.assert_allclose(vectors_of(copied, torch.rand(1, 1, 32, 32)), [[0.6, 0.8]])


def test_ensembles_may_be_members() -> None:
    inner = {"builder": "ensemble", "config": {"members": [hashing(4)]}, "pooling": "averaged"}
    made = ensemble({"members": [inner, hashing(3)]}, "concatenated")
    assert "members.0.members.0.hash.bias" in made.body.state_dict()
    assert made.eval()(torch.rand(1, 1, 32, 32)).shape == (1, 7)


@pytest.mark.parametrize(
    ("members", "pooling", "message"),
    [
        ([hashing(4)], "sum", "concatenated or averaged, not sum"),
        ([], "averaged", "one member at least"),
        ([{**hashing(4), "builder": "hashnet"}], "averaged", "no network 'hashnet'.*hash net"),
        ([{**hashing(4), "config": {}}], "averaged", "hash net: .*look at its config"),
    ],
)
def test_what_is_no_ensemble(members: list[Any], pooling: str, message: str) -> None:
    with pytest.raises((ValueError, EncoderError), match=message):
        ensemble({"members": members}, pooling)


def test_vectors_of_different_lengths_have_no_average() -> None:
    made = answering("averaged", [1.0, 0.0], [1.0, 0.0, 0.0])
    with pytest.raises(EncoderError, match="2, 3 numbers have no average"):
        made(torch.rand(1, 1, 32, 32))
