"""Where an encoder's weights lie: a file of the site's, or what was fetched once."""

from pathlib import Path

from encoders.declaration import Declaration, OwnFile
from encoders.encoder import EncoderError, EncoderOptions


def lack_of_weights(declaration: Declaration, options: EncoderOptions) -> str | None:
    """What is missing, and how to get it; None where the weights are here or none are needed."""
    if declaration.source is None:
        return None
    if options.weights is not None:
        if options.weights.is_file():
            return None
        return f"weights file {options.weights} (put it there or correct the path)"
    if isinstance(declaration.source, OwnFile):
        return f"weights (set the path of {declaration.source.remedy})"
    return f"weights (likeness encoders fetch {declaration.name})"


def located(declaration: Declaration, options: EncoderOptions) -> Path:
    """The weights file to load.

    Raises:
        EncoderError: there is none; the message says how to get it.
    """
    lack = lack_of_weights(declaration, options)
    if lack is not None or options.weights is None:
        raise EncoderError(f"encoder {declaration.name} lacks {lack}")
    return options.weights
