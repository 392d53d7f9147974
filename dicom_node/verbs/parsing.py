"""How verbs are told to the parser, and the kinds of their arguments."""

import argparse
from collections.abc import Callable
from typing import Any

from dicom_node.settings import Settings

Verb = Callable[[argparse.Namespace, Settings], int]
SEEDS = 2**32
"""So many there are, of each of the libraries that draw."""


def verb(verbs: Any, name: str, run: Verb) -> argparse.ArgumentParser:
    """A verb, whose help is the first line of what ``run`` says of itself."""
    text = (run.__doc__ or "").splitlines()[0]
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text)
    parser.set_defaults(run=run, misused=parser.error)
    return parser


def positive(text: str) -> int:
    """A whole number from 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def seed(text: str) -> int:
    """A whole number that every generator of the libraries takes."""
    number = int(text)
    if not 0 <= number < SEEDS:
        raise argparse.ArgumentTypeError(f"must be from 0 to {SEEDS - 1}")
    return number
