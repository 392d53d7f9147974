"""What ``evaluate`` is about: images from where the user says, and who is asked about them."""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from dicom_node.database import open_database
from dicom_node.making import encoder_options
from dicom_node.settings import Settings
from dicom_node.verbs.bars import bar, onto
from evaluation import planning, readers
from evaluation.collection import Collection
from evaluation.evaluating import System, no_one_vector
from evaluation.label_sets import consolidated
from evaluation.learning.folds import NAME as FOLDS_OF
from evaluation.readers.archive import read_archive
from evaluation.readers.drawn import with_regions
from evaluation.readers.options import options_of
from evaluation.readers.vectors import read_vectors
from evaluation.systems.naming import system_of
from storage.vectors.metric import Metric

ARCHIVE = "archive"


def read(
    chosen: argparse.Namespace, settings: Settings, place: str
) -> tuple[Collection, tuple[System, ...]]:
    """The collection that is wanted of a place, and the vectors that it came with.

    Raises:
        CollectionError: it cannot be read, or has no such image; the message says what to do.
    """
    collection, given = _whole(chosen, settings, place)
    if chosen.boxes is not None:
        if given:
            raise readers.ReaderError("--boxes goes with images, not with vectors that are there")
        collection = with_regions(collection, chosen.boxes)
    if chosen.label_set is not None:
        collection = consolidated(collection, chosen.label_set)
    kept = planning.met(collection, chosen.where)
    some = tuple(replace(one, vectors=one.vectors[kept]) for one in given)
    return collection.take(kept), some


def systems(
    chosen: argparse.Namespace,
    settings: Settings,
    collection: Collection,
    given: tuple[System, ...],
    of_one_vector: str = "",
) -> Iterator[System]:
    """Yield who is asked: those that were given, then the encoders, which embed all images.

    Args:
        chosen: the command's options.
        settings: the site's; their encoder where none is named.
        collection: the images.
        given: vectors that came with them.
        of_one_vector: what is wanted that folds cannot be asked for, as a noun.

    Raises:
        CollectionError, EncoderError: an encoder cannot be made, or an image not be read; folds
            are named where they cannot be asked, before anything is embedded.
    """
    # named twice, a system is asked once
    names = dict.fromkeys(chosen.encoder or ([] if given else [settings.encoder.name]))
    for name in names:
        if of_one_vector and name.startswith(FOLDS_OF):
            raise no_one_vector(name, of_one_vector)
    yield from given
    for name in names:
        with bar(name, "image") as shown:
            made = system_of(
                name,
                collection,
                chosen.output,
                encoder_options(settings),
                onto(shown),
                seed=chosen.seed,
            )
        # folds are compared as their encoders' cosines
        yield made if made.asking is not None else replace(made, metric=Metric(chosen.metric))


def _whole(
    chosen: argparse.Namespace, settings: Settings, place: str
) -> tuple[Collection, tuple[System, ...]]:
    if place == ARCHIVE:
        with open_database(settings) as engine:
            told = read_archive(engine, chosen.space)
        space = told.space
        metric = Metric(space.metric)
        return told.collection, (System(space.encoder, told.vectors, metric, space.id),)
    path = Path(place)
    name = chosen.reader or readers.recognised(path)
    if name is None:
        known = ", ".join(readers.READERS)
        raise readers.ReaderError(
            f"{path} is no data set that is known; --reader says which it is: {known}"
        )
    if name == "vectors":
        collection, vectors = read_vectors(path)
        return collection, (System("vectors", vectors, Metric(chosen.metric)),)
    reading = readers.READERS[name].read
    options = options_of(name, reading, chosen.option)
    return reading(path, images=readers.Images(chosen.images), **options), ()
