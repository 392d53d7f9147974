"""The space that an encoder would make on this machine, without building its network."""

from encoders import registry
from encoders.as_told import as_told
from encoders.declaration import Declaration
from encoders.encoder import EncoderOptions
from encoders.fetched import located
from encoders.space import Space
from encoders.torch_encoder import space_of
from encoders.weights import read_weights


def space_here(declaration: Declaration, options: EncoderOptions) -> Space:
    """What its vectors would mean; the weights file is read once from end to end.

    Raises:
        EncoderError: something is missing, or the weights are not what they should be.
    """
    if declaration.preprocessing is None:
        return registry.make(declaration, options).space
    weights = read_weights(located(declaration, options))
    return space_of(as_told(declaration, weights), weights.digest, options.precision)
