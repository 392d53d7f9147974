"""Names, what is missing, and the check of every answer."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from encoders.checked import CheckedEncoder
from encoders.choice import SLICE_RULE
from encoders.encoder import EncoderError, EncoderOptions, Prepared
from encoders.extras import absent
from encoders.grayscale import WINDOW_RULE
from encoders.image import GrayscaleImage
from encoders.registry import create, declarations, find, forms, missing
from encoders.space import Space

BLANK = GrayscaleImage(np.zeros((8, 8), np.float32))


@dataclass(frozen=True)
class Fixed:
    """Gives the same vectors whatever it sees."""

    vectors: NDArray[np.float32]
    batch = 8
    lanes = 1

    @property
    def space(self) -> Space:
        return Space("fixed", "1", "", "", "", "", "", dimension=2)

    def prepare(self, image: GrayscaleImage) -> Prepared:
        return image.pixels

    def infer(self, prepared: Sequence[Prepared]) -> NDArray[np.float32]:
        return self.vectors


def test_entries_tell_what_is_missing() -> None:
    found = {entry.name: entry for entry in declarations()}
    assert set(found) >= {"baseline", "biomedclip", "monai-vit-b32-256", "xrv-densenet121-all"}
    assert missing(found["baseline"]) == []
    assert "safetensors file" in missing(found["monai-densenet121"])[0]
    gone = EncoderOptions(weights=Path("absent.safetensors"))
    assert "absent.safetensors" in missing(found["monai-densenet121"], gone)[0]


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(EncoderError, match="did you mean monai-densenet121"):
        create("densenet121")


@pytest.mark.parametrize("package", ["timm", "open_clip"])
def test_a_named_encoder_without_its_library_tells_what_to_install(package: str) -> None:
    if not absent(package):
        pytest.skip(f"left out: {package} is here")
    with pytest.raises(EncoderError, match=f"no package {package} .*likeness-node.timm"):
        find(f"{package}:ViT-B-32")


def test_forms_of_names_are_listed() -> None:
    assert {form.prefix for form in forms()} == {"folder:", "timm:", "open_clip:"}
    assert all(form.pattern.startswith(form.prefix) for form in forms())


def test_what_to_do_for_weights_that_only_their_package_can_open() -> None:
    lack = missing(find("xrv-densenet121-chex"))[0]
    assert "x.models.DenseNet(weights='densenet121-res224-chex').state_dict()" in lack
    command = lack.split('python -c "')[1].split('"')[0]
    compile(command, "remedy", "exec")


def test_an_encoder_without_its_weights_is_not_made() -> None:
    with pytest.raises(EncoderError, match="safetensors"):
        create("monai-densenet121")


@pytest.mark.parametrize(
    ("vectors", "reason"),
    [
        ([[np.nan, 1.0]], "NaN"),
        ([[np.inf, 0.0]], "NaN or infinity"),
        ([[1.0, 0.0, 0.0]], "shape"),
        ([[1.0, 0.0], [0.0, 1.0]], "shape"),
        ([[0.0, 0.0]], "length 0"),
        ([[3.0, 4.0]], "length 5"),
    ],
)
def test_unusable_vectors_are_refused(vectors: list[list[float]], reason: str) -> None:
    encoder = CheckedEncoder(Fixed(np.array(vectors, np.float32)))
    with pytest.raises(EncoderError, match=reason):
        encoder.embed([BLANK])


def test_usable_vectors_pass_and_nothing_gives_none() -> None:
    encoder = CheckedEncoder(Fixed(np.array([[0.6, 0.8]], np.float32)))
    assert encoder.embed([BLANK]).tolist() == [[pytest.approx(0.6), pytest.approx(0.8)]]
    assert encoder.embed([]).shape == (0, 2)


def test_the_baseline_is_one_of_them() -> None:
    encoder = create("baseline")
    ramp = GrayscaleImage(np.linspace(0, 1, 4096, dtype=np.float32).reshape(64, 64))
    vectors = encoder.embed([ramp, BLANK])
    assert vectors.shape == (2, encoder.space.dimension)
    assert encoder.space.window_rule == WINDOW_RULE
    assert encoder.space.slice_rule == SLICE_RULE


def test_listing_encoders_needs_no_torch() -> None:
    code = "import sys, encoders.registry as r; r.declarations(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
