"""What a question may be narrowed to: kinds of image, patients by sex and age, dates, labels."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from sqlalchemy import ColumnElement, exists, func, select

from storage.tables import Embedding, Label, Study


@dataclass(frozen=True)
class Filters:
    """Which images of which studies are searched; a field that is empty or None asks for nothing.

    ``modalities``, ``body_parts``, ``views`` and ``labels`` take a study with any of theirs; the
    first three and the study must fit together in one image. ``sex`` is Patient's Sex (0010,0040).
    Ages are whole years and dates are days, both ends included. What a study does not tell (no
    age, no date) fits no limit on it.
    """

    modalities: tuple[str, ...] = ()
    body_parts: tuple[str, ...] = ()
    views: tuple[str, ...] = ()
    sex: str | None = None
    age_min: int | None = None
    age_max: int | None = None
    date_from: date | None = None
    date_to: date | None = None
    labels: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """True if anything is asked for."""
        return bool(self.told())

    def told(self) -> Mapping[str, str]:
        """The filters that are set, as text by the names that the HTTP service gives them."""
        said = {
            "modality": ", ".join(self.modalities),
            "body_part": ", ".join(self.body_parts),
            "view": ", ".join(self.views),
            "sex": self.sex or "",
            "age_min": "" if self.age_min is None else str(self.age_min),
            "age_max": "" if self.age_max is None else str(self.age_max),
            "date_from": "" if self.date_from is None else self.date_from.isoformat(),
            "date_to": "" if self.date_to is None else self.date_to.isoformat(),
            "label": ", ".join(self.labels),
        }
        return {name: value for name, value in said.items() if value}

    def conditions(self) -> list[ColumnElement[bool]]:
        """On the join of ``Embedding`` and ``Study``."""
        kinds = {"modality": self.modalities, "body_part": self.body_parts, "view": self.views}
        found = [
            Embedding.image[name].astext.in_(values) for name, values in kinds.items() if values
        ]
        if self.sex:
            found.append(Study.sex == self.sex)
        if self.age_min is not None:
            found.append(Study.age >= self.age_min)
        if self.age_max is not None:
            found.append(Study.age <= self.age_max)
        if self.labels:
            found.append(_says_any_of(self.labels))
        return found + self._of_dates()

    def _of_dates(self) -> list[ColumnElement[bool]]:
        day = func.replace(Study.study_date, ".", "")  # the dots of ACR-NEMA 2.0
        found: list[ColumnElement[bool]] = []
        if self.date_from is not None:
            found.append(day >= _dicom_date(self.date_from))
        if self.date_to is not None:
            found.append(day <= _dicom_date(self.date_to))
        return [day.regexp_match("^[0-9]{8}$"), *found] if found else []


def _dicom_date(day: date) -> str:
    """PS3.5 6.2, VR DA."""
    return f"{day.year:04}{day.month:02}{day.day:02}"


def _says_any_of(names: tuple[str, ...]) -> ColumnElement[bool]:
    said = select(Label.id).where(
        Label.study_id == Study.id, Label.value == 1, Label.name.in_(names)
    )
    return exists(said)


NO_FILTERS = Filters()
