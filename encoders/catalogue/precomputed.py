"""The encoder that only looks vectors up."""

from encoders.declaration import Declaration, OwnFile

PRECOMPUTED = Declaration(
    name="precomputed",
    summary="vectors computed elsewhere, found by SOP Instance UID",
    network="encoders.precomputed:load",
    source=OwnFile(
        "an npz file with the arrays 'keys' (SOP Instance UIDs, with '#' and the frame number for "
        "a frame of several) and 'vectors' (floating point, one row per key)"
    ),
    dimension=0,  # only the file tells
    licence="that of your vectors",
)

DECLARATIONS = (PRECOMPUTED,)
