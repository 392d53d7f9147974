"""The encoders that come with Likeness: whole, small, told of, made by the recipe that is here."""

import re
from pathlib import Path

import numpy as np
import pytest

from encoders.baseline import describe
from encoders.baseline_size import DIMENSION
from encoders.catalogue import own
from encoders.declaration import Declaration, InFolder
from encoders.encoder import EncoderOptions
from encoders.folders.told import CARD, WEIGHTS, read_told
from encoders.image import GrayscaleImage
from encoders.registry import create, find, missing
from encoders.training.recipe_files import read_recipe

MOST_BYTES = 16_000_000
by_name = pytest.mark.parametrize("declared", own.DECLARATIONS, ids=lambda one: one.name)
PIXELS = np.random.default_rng(0).random((90, 70), np.float32)


def folder_of(declared: Declaration) -> Path:
    assert isinstance(declared.source, InFolder)
    return declared.source.path.parent


def test_there_is_one_for_chest_radiographs() -> None:
    assert [one.name for one in own.DECLARATIONS] == ["likeness-cxr"]
    assert find("likeness-cxr").modalities == ("CR", "DX")
    assert find("likeness-cxr").body_regions == ("chest",)


@by_name
def test_it_lacks_nothing_and_is_small(declared: Declaration) -> None:
    assert missing(declared) == []
    assert (folder_of(declared) / WEIGHTS).stat().st_size <= MOST_BYTES


@by_name
def test_it_is_what_its_recipe_makes(declared: Declaration) -> None:
    made = read_told(folder_of(declared)).made
    recipe = read_recipe(declared.name)
    assert made["recipe"] == f"{recipe.name} ({recipe.digest})"
    assert "origin=NIH ChestX-ray14" in made["command"]
    assert recipe.preprocessing == declared.preprocessing
    for part in recipe.needs:
        by = f"{part.recipe} ({read_recipe(part.recipe).digest}), weights "
        assert made[f"made of {part.recipe}"].startswith(by)


@by_name
def test_its_card_tells_what_it_is_worth_and_what_it_is_not_for(declared: Declaration) -> None:
    card = (folder_of(declared) / CARD).read_text("utf-8")
    for said in ("must not be used", "chance", "cross-validat", "Licence", "left out"):
        assert said.lower() in card.lower(), said
    assert re.search(r"\.\d{3} \(\.\d{3} to \.\d{3}\)", card), "no figure with its interval"
    assert not re.search(r"/(root|work|home|tmp)/", card)


def test_it_embeds_and_asks_only_the_descriptor_of_what_it_was_not_made_for() -> None:
    encoder = create("likeness-cxr", EncoderOptions(device="cpu", threads=1))
    chest, unsaid, slice_ = encoder.embed(
        [
            GrayscaleImage(PIXELS, modality="DX", body_part="CHEST"),
            GrayscaleImage(PIXELS),
            GrayscaleImage(PIXELS, modality="CT", body_part="CHEST"),
        ]
    )
    np.testing.assert_allclose(np.linalg.norm([chest, slice_], axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(chest, unsaid, atol=1e-6)
    assert chest[DIMENSION:].any()
    np.testing.assert_allclose(slice_[:DIMENSION], describe(PIXELS), atol=1e-6)
    assert not slice_[DIMENSION:].any()


@pytest.mark.parametrize(
    ("modality", "body_part", "expected"),
    [
        ("CR", "CHEST", True),
        ("DX", "LUNG", True),
        ("DX", "", True),
        ("", "", True),
        ("", "chest", True),
        ("DX", "left breast", True),  # no word that is known: nobody said that it is no chest
        ("DX", "KNEE", False),
        ("", "head", False),
        ("CT", "CHEST", False),
        ("MR", "", False),
    ],
)
def test_whom_it_was_made_for(modality: str, body_part: str, expected: bool) -> None:
    assert find("likeness-cxr").is_made_for(modality, body_part) == expected


def test_baseline_is_made_for_all() -> None:
    assert find("baseline").is_made_for("MR", "KNEE")
