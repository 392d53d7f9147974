"""What the verbs of encoders tell: each encoder with its state on this machine. No torch here."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlalchemy.exc import DBAPIError

from dicom_node.making import encoder_options, maker_of
from dicom_node.settings import Settings
from encoders import extras, registry
from encoders.declaration import Declaration, Hub, InFolder, OwnFile
from encoders.encoder import EncoderError, EncoderOptions
from encoders.fetched import lack_of_weights
from encoders.folders.naming import PREFIX, absolute
from storage import spaces
from storage.bounded_connection import PROMPT
from storage.database import DatabaseError, connect
from storage.postmaster import Postmaster
from storage.spaces import KnownSpace, Maker


@dataclass(frozen=True)
class Known:
    """What the archive says of encoders.

    Attributes:
        used: the space that answers; None where nobody could say.
        makers: how the encoders of its spaces are made, by name.
        why_not: why the database was not asked, for people; empty where it was, or there is none.
    """

    used: KnownSpace | None = None
    makers: Mapping[str, Maker] = field(default_factory=dict)
    why_not: str = ""


def known_to_archive(settings: Settings) -> Known:
    """What the database says, if one runs: none is started, and none is migrated, for a list."""
    url, folder = settings.database_url, settings.data_folder / "postgres"
    if url is None:
        if not folder.exists():
            return Known()
        server = Postmaster(folder)
        if not server.is_running():
            return Known(why_not="its database is not running")
        url = server.url()
    try:
        engine = connect(url, PROMPT)
        try:
            with engine.connect() as connection:
                known, used = spaces.known(connection), spaces.known_in_use(connection)
        finally:
            engine.dispose()
    except (DatabaseError, DBAPIError) as fault:
        return Known(why_not=str(fault).splitlines()[0])
    return Known(used, {entry.maker.name: entry.maker for entry in reversed(known)})


def maker_here(settings: Settings, known: Known, name: str, weights: Path | None = None) -> Maker:
    """How an encoder is made here: by its space, else by the settings, where they name it."""
    asked, name = maker_of(settings), absolute(name)
    if weights is not None:
        return Maker(name, str(weights.absolute()), asked.precision)
    if known.used is not None and known.used.maker.name == name:
        return known.used.maker
    if asked.name == name:
        return asked
    return known.makers.get(name, Maker(name, None, asked.precision))


def name_in_use(settings: Settings, known: Known) -> str:
    """The encoder whose space answers; that of the settings where nobody could say."""
    if known.used is None:
        return maker_of(settings).name
    return known.used.maker.name or known.used.summary.encoder


@dataclass(frozen=True)
class Row:
    """An encoder in the list.

    Attributes:
        name: of it.
        in_use: whether its space answers.
        summary: one line for people.
        dimension: of its vectors; None where a file or a library decides.
        size: rows and columns of its input; None where it takes the image as it is.
        modalities: that it was made for; none for any.
        licence: of its weights.
        gated: whether its authors' terms must be accepted first.
        missing: what this machine lacks, each with how to get it.
        needs: the same, in a word or two each.
    """

    name: str
    in_use: bool
    summary: str
    dimension: int | None
    size: int | None
    modalities: tuple[str, ...]
    licence: str
    gated: bool
    missing: tuple[str, ...]
    needs: tuple[str, ...]

    @property
    def state(self) -> str:
        """``in use``, ``ready``, or what it needs."""
        parts = ["in use"] * self.in_use
        if self.needs:
            parts.append("needs " + ", ".join(self.needs))
        return ", ".join(parts) or "ready"

    def as_json(self) -> dict[str, Any]:
        """For ``encoders list --json``."""
        return {**asdict(self), "state": self.state}


YOUR_FILE, FETCH, TERMS = "a file of yours", "fetch", "fetch (terms)"
ITS_FOLDER = "its folder, and no weights beside it"
ALLOWED_PICKLE = "allow_pickle"


def rows(settings: Settings, known: Known) -> list[Row]:
    """Every declared encoder, and those of other names that the archive or the settings use."""
    used = name_in_use(settings, known)
    declared = [
        _row(entry, encoder_options(settings, maker_here(settings, known, entry.name)), used)
        for entry in registry.declarations()
    ]
    named = {used, maker_of(settings).name} | known.makers.keys()
    others = named - {row.name for row in declared}
    return declared + [_other(settings, known, name, used) for name in sorted(others - {""})]


def _other(settings: Settings, known: Known, name: str, used: str) -> Row:
    if not name.startswith(PREFIX):
        return _undeclared(name, used, known)
    try:
        entry = registry.find(name)
    except EncoderError as fault:
        row = _undeclared(name, used, known)
        return replace(row, missing=(str(fault),), needs=(ITS_FOLDER,))
    row = _row(entry, encoder_options(settings, maker_here(settings, known, name)), used)
    return replace(row, name=name, in_use=name == used)


def _row(entry: Declaration, options: EncoderOptions, used: str) -> Row:
    return Row(
        name=entry.name,
        in_use=entry.name == used,
        summary=entry.summary,
        dimension=entry.dimension or None,
        size=None if entry.preprocessing is None else entry.preprocessing.size,
        modalities=entry.modalities,
        licence=entry.licence,
        gated=isinstance(entry.source, Hub) and entry.source.gated,
        missing=tuple(registry.missing(entry, options)),
        needs=tuple(dict.fromkeys([*_absent(entry.packages), *_weights_needed(entry, options)])),
    )


def _absent(packages: Mapping[str, str]) -> list[str]:
    return [wanted for package, wanted in packages.items() if extras.absent(package)]


def _weights_needed(entry: Declaration, options: EncoderOptions) -> list[str]:
    lack = lack_of_weights(entry, options)
    if lack is None:
        return []
    if isinstance(entry.source, InFolder):
        return [ITS_FOLDER]
    if isinstance(entry.source, OwnFile) or options.weights is not None:
        return [YOUR_FILE]
    gated = isinstance(entry.source, Hub) and entry.source.gated
    fetch = [] if lack.startswith("leave") else [TERMS if gated else FETCH]
    return fetch + [ALLOWED_PICKLE] * (ALLOWED_PICKLE in lack)


def _undeclared(name: str, used: str, known: Known) -> Row:
    """One that its library declares when it is asked: to list it, the library is not imported."""
    form = next((form for form in registry.forms() if name.startswith(form.prefix)), None)
    space = known.used if known.used is not None and name == used else None
    absent = _absent({} if form is None else form.packages)
    return Row(
        name=name,
        in_use=name == used,
        summary="no encoder of this version" if form is None else form.summary,
        dimension=None if space is None else space.summary.dimension,
        size=None,
        modalities=(),
        licence="its authors'",
        gated=False,
        missing=tuple(f"package (pip install {wanted!r})" for wanted in absent),
        needs=tuple(dict.fromkeys(absent)),
    )
