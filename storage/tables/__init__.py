"""The schema of the database. ``migrations`` must build exactly this; a test holds them equal.

PostgreSQL is the truth: the spool is emptied by the site's rule and the index can be rebuilt, so
whatever an answer needs later (attributes, the picture, the vector's provenance) stands here.
"""

from storage.tables.archive import Instance, Series, Study, SurplusFile
from storage.tables.base import (
    COMMITMENTS,
    LABEL_KINDS,
    QUEUE_STATES,
    STUDY_STATES,
    VERDICTS,
    Base,
)
from storage.tables.labels import Label, LabelImport, SupersededLabel
from storage.tables.people import CaseLookup, Feedback, Query, Secret, Token
from storage.tables.vectors import (
    EMBEDDING_CHANGES,
    Embedding,
    ImageCount,
    SimilaritySketch,
    SliceVectors,
    Space,
    StudyCount,
)
from storage.tables.work import Job, Report, Send

__all__ = [
    "COMMITMENTS",
    "EMBEDDING_CHANGES",
    "LABEL_KINDS",
    "QUEUE_STATES",
    "STUDY_STATES",
    "VERDICTS",
    "Base",
    "CaseLookup",
    "Embedding",
    "Feedback",
    "ImageCount",
    "Instance",
    "Job",
    "Label",
    "LabelImport",
    "Query",
    "Report",
    "Secret",
    "Send",
    "Series",
    "SimilaritySketch",
    "SliceVectors",
    "Space",
    "Study",
    "StudyCount",
    "SupersededLabel",
    "SurplusFile",
    "Token",
]
