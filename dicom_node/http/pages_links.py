"""The addresses in a page, all relative to it, so that it works below any prefix.

A page lies at ``ui/studies/{uid}``; what the node serves beside it lies two levels up.
"""

from collections import Counter
from collections.abc import Sequence
from urllib.parse import quote, urlencode

from storage.answer import ImageReference
from storage.filters import Filters

_ROOT = "../.."

Parameters = Sequence[tuple[str, str]]
"""Names and values of a query string, in order; a name may come several times."""


def page(study_uid: str, parameters: Parameters = (), *, numbered: bool = False) -> str:
    """The page of a study. The dot keeps what stands in a UID from being read as a scheme.

    ``numbered`` gives parameters that come several times a number each, ``label.0=…&label.1=…``:
    Orthanc's Python plug-in hands on only the last of a name. Ours takes the numbers off again.
    """
    return _with(f"./{_segment(study_uid)}", _numbered(parameters) if numbered else parameters)


def _numbered(parameters: Parameters) -> Parameters:
    several = {name for name, count in Counter(name for name, _ in parameters).items() if count > 1}
    return [
        (f"{name}.{number}" if name in several else name, value)
        for number, (name, value) in enumerate(parameters)
    ]


def picture(study_uid: str, image: ImageReference) -> str:
    """The picture of an embedded image."""
    return _with(f"{study(study_uid)}/image.png", _instance(image))


def viewer(series_uid: str, image: ImageReference | None = None) -> str:
    """The web viewer of the Orthanc that the page is shown through, at an image where it can."""
    parameters = () if image is None else _instance(image)
    return _with(f"{_ROOT}/viewer/{_segment(series_uid)}", parameters)


def study(study_uid: str) -> str:
    """Where the node tells how a study stands."""
    return f"{_ROOT}/studies/{_segment(study_uid)}"


def report(study_uid: str) -> str:
    """The report on a study; ``/picture`` below it is its picture."""
    return f"{study(study_uid)}/report"


def forward(study_uid: str) -> str:
    """Where the plug-in in Orthanc sends a study to the node."""
    return f"{_ROOT}/forward/{_segment(study_uid)}"


def feedback() -> str:
    """Where verdicts go."""
    return f"{_ROOT}/feedback"


def filter_parameters(filters: Filters) -> list[tuple[str, str]]:
    """The filters as the HTTP service takes them, one pair for each value."""
    many = {
        "modality": filters.modalities,
        "body_part": filters.body_parts,
        "view": filters.views,
        "label": filters.labels,
    }
    told = filters.told()
    one = ("sex", "age_min", "age_max", "date_from", "date_to")
    return [(name, value) for name, values in many.items() for value in values] + [
        (name, told[name]) for name in one if name in told
    ]


def _instance(image: ImageReference) -> Parameters:
    frame = image.frame_number
    pairs = [("instance", image.sop_instance_uid)]
    return pairs if frame is None else [*pairs, ("frame", str(frame))]


def _with(path: str, parameters: Parameters) -> str:
    query = urlencode(list(parameters), quote_via=quote, safe="")
    return f"{path}?{query}" if query else path


def _segment(value: str) -> str:
    return quote(value, safe="")
