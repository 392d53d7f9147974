"""Labels as coded findings: by the code that a label brings, or by a name that everybody knows."""

from collections.abc import Iterable

from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from dicom_node.report.codes import SCHEME, SHORT_STRING, fit
from dicom_node.report.items import dataset
from storage.answer import Label

# Findings by the names that data sets and readers give them, in codes that the standard itself
# lists (PS3.16). Of what it lists, a code is left out whose name in SNOMED CT is another: PS3.16
# gives "Cardiomegaly" as 287272002, in SNOMED CT an enlarged septal foramen of the heart.
KNOWN: dict[str, Code] = {
    "abscess": codes.SCT.Abscess,
    "aneurysm": codes.SCT.Aneurysm,
    "aortic aneurysm": codes.SCT.AorticAneurysm,
    "aortic dissection": codes.SCT.AorticDissection,
    "cardiac pacemaker": codes.SCT.CardiacPacemaker,
    "central venous catheter": codes.SCT.CentralVenousCatheter,
    "cyst": codes.SCT.Cyst,
    "edema": codes.SCT.Edema,
    "effusion": codes.SCT.Effusion,
    "endotracheal tube": codes.SCT.EndotrachealTube,
    "feeding tube": codes.SCT.FeedingTube,
    "fibrosis": codes.SCT.Fibrosis,
    "ground glass opacity": codes.DCM.GroundGlassOpacity,
    "heart failure": codes.SCT.HeartFailure,
    "hematoma": codes.SCT.Hematoma,
    "hemorrhage": codes.SCT.Hemorrhage,
    "infiltrate": codes.DCM.Infiltrate,
    "lesion": codes.SCT.Lesion,
    "lymphadenopathy": codes.SCT.Lymphadenopathy,
    "mass": codes.cid6104.Mass,
    "metastasis": codes.SCT.Metastasis,
    "micronodule": codes.DCM.Micronodule,
    "myocardial infarction": codes.SCT.MyocardialInfarction,
    "neoplasm": codes.SCT.Neoplasm,
    "nodule": codes.SCT.Nodule,
    "opacity": codes.DCM.Opacity,
    "pericardial effusion": codes.SCT.PericardialEffusion,
    "pleural effusion": codes.SCT.PleuralEffusion,
    "pneumomediastinum": codes.SCT.Pneumomediastinum,
    "pneumothorax": codes.SCT.Pneumothorax,
    "pulmonary edema": codes.SCT.PulmonaryEdema,
    "pulmonary embolism": codes.SCT.PulmonaryEmbolism,
    "stenosis": codes.SCT.Stenosis,
    "thrombus": codes.SCT.Thrombus,
    "tumor": codes.SCT.Tumor,
}
_SPELLINGS = (("oedema", "edema"), ("haem", "hem"), ("tumour", "tumor"))

_SCHEMES = {"SNOMED": "SCT", "SNOMED CT": "SCT", "SNOMED-CT": "SCT", "LOINC": "LN"}
_STANDARD_SCHEMES = frozenset(  # those of PS3.16 table 8-1 that findings come in
    ("DCM", "SCT", "SRT", "SNM3", "LN", "RADLEX", "I9C", "I10", "I10P", "I11", "FMA", "UMLS")
)
# Units are no findings, and our own codes have their places already.
_NO_FINDINGS = frozenset(("UCUM", SCHEME))

_PRESENCE: dict[int, Code] = {
    1: codes.cid240.Present,
    0: codes.cid240.Absent,
    -1: codes.cid240.Undetermined,
}


def concept_of(label: Label) -> Code | None:
    """The coded concept of a label, or None where no usable code is known.

    The code that the label brings goes before the one that its name has.
    """
    value = fit(label.code or "", 1024)
    scheme = _scheme(label.scheme or "")
    meaning = fit(label.name)
    usable = len(scheme) <= SHORT_STRING and scheme not in _NO_FINDINGS
    if value and scheme and meaning and usable:
        return Code(value, scheme, meaning)
    return KNOWN.get(_plain(label.name))


def presence(value: int) -> Code:
    """Present, absent or undetermined (CID 240) for a label's 1, 0 or -1."""
    return _PRESENCE.get(value, _PRESENCE[-1])


def scheme_items(labels: Iterable[Label]) -> list[Dataset]:
    """Items of the Coding Scheme Identification Sequence (PS3.3 C.12.1.1.7): ours, and any that a
    label brings along and the standard does not name."""
    ours = dataset(
        CodingSchemeDesignator=SCHEME,
        CodingSchemeName="Likeness codes for image retrieval",
        CodingSchemeVersion="1",
        CodingSchemeResponsibleOrganization="Likeness project",
    )
    concepts = (concept_of(label) for label in labels)
    others = {c.scheme_designator for c in concepts if c} - _STANDARD_SCHEMES
    return [ours, *(dataset(CodingSchemeDesignator=name) for name in sorted(others))]


def _scheme(name: str) -> str:
    """A Coding Scheme Designator as the standard spells it, where it is one in other letters."""
    fitted = fit(name, 1024)
    upper = fitted.upper()
    return _SCHEMES.get(upper, upper if upper in _STANDARD_SCHEMES else fitted)


def _plain(name: str) -> str:
    words = " ".join(name.replace("_", " ").replace("-", " ").casefold().split())
    for british, american in _SPELLINGS:
        words = words.replace(british, american)
    return words
