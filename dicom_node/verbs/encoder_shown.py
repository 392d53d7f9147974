"""One encoder in full: what it declares, where its weights are, what space they make here."""

from pathlib import Path
from typing import Any

from dicom_node.making import encoder_options
from dicom_node.settings import Settings
from dicom_node.verbs.encoder_rows import Known, maker_here, name_in_use
from encoders import registry
from encoders.declaration import Declaration, Hub, InFolder, OwnFile
from encoders.encoder import EncoderError, EncoderOptions
from encoders.fetched import locked_of
from encoders.folders.naming import absolute
from encoders.lock import locked_path


def described(
    settings: Settings, known: Known, name: str, weights: Path | None = None
) -> dict[str, Any]:
    """All facts of an encoder, for JSON and for people.

    Args:
        settings: of the node.
        known: what the archive says.
        name: of the encoder.
        weights: a local file, instead of what archive and settings say.

    Raises:
        EncoderError: there is no such encoder, or its library is missing.
    """
    entry = registry.find(name)
    options = encoder_options(settings, maker_here(settings, known, name, weights))
    lacks = registry.missing(entry, options)
    return {
        "name": entry.name,
        "summary": entry.summary,
        "in_use": absolute(name) == name_in_use(settings, known),
        "missing": lacks,
        "dimension": entry.dimension or None,
        **_seen(entry),
        "pooling": entry.pooling,
        "modalities": list(entry.modalities),
        "body_regions": list(entry.body_regions),
        "ct_window": None if entry.ct_window is None else list(entry.ct_window),
        "network": entry.network,
        "config": dict(entry.config),
        "version": entry.version,
        "packages": dict(entry.packages),
        "licence": entry.licence,
        "reference": entry.reference,
        "source": _source(entry),
        "weights": _weights(entry, options),
        **_space(entry, options, lacks),
    }


def _seen(entry: Declaration) -> dict[str, Any]:
    if entry.preprocessing is None:
        return {"size": None, "channels": None, "preprocessing": None}
    seen = entry.preprocessing
    return {"size": seen.size, "channels": seen.channels, "preprocessing": seen.text}


def _source(entry: Declaration) -> dict[str, Any]:
    if isinstance(entry.source, InFolder):
        return {"folder": str(entry.source.path.parent)}
    if isinstance(entry.source, OwnFile):
        return {"own_file": entry.source.remedy}
    if not isinstance(entry.source, Hub):
        return {}
    return {
        "repository": entry.source.repository,
        "page": f"https://huggingface.co/{entry.source.repository}",
        "file": entry.source.file,
        "revision": entry.source.revision,
        "gated": entry.source.gated,
    }


def _weights(entry: Declaration, options: EncoderOptions) -> dict[str, Any]:
    """What is here of them; empty where nothing is."""
    if isinstance(entry.source, InFolder):
        return {"path": str(entry.source.path), "sha256": entry.source.sha256}
    if options.weights is not None:
        return {"path": str(options.weights)} if options.weights.is_file() else {}
    try:
        locked = locked_of(entry, options.folder)
    except EncoderError:  # stands under "missing"
        return {}
    if locked is None or options.folder is None:
        return {}
    path = str(locked_path(options.folder, locked))
    return {"path": path, **locked.model_dump(exclude={"repository", "file"})}


def _space(entry: Declaration, options: EncoderOptions, lacks: list[str]) -> dict[str, Any]:
    if lacks:
        return {"space": None}
    from encoders.weights_space import space_here  # noqa: PLC0415 (needs torch)

    try:
        space = space_here(entry, options)
    except EncoderError as error:
        return {"space": None, "fault": str(error)}
    return {"space": space.id, "dimension": space.dimension}
