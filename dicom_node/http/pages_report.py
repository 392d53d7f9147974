"""What the page says of the study's report: where it is, what it lists, where it went."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from dicom_node.http import pages_links as links
from dicom_node.http import pages_words as words
from dicom_node.http.pages_asking import Asking
from dicom_node.reporting import Reporting, Standing
from dicom_node.settings import Settings


@dataclass(frozen=True)
class ReportLinks:
    """Where the report is, which one there is, where it went, and what it lists.

    ``uid`` is its SOP Instance UID, empty without one. ``lists_now`` is said of a report that is
    made for whoever asks, ``lists_then`` of the one that there is, ``lists_unknown`` of one that
    was made since the page was; either may be empty. ``send_to`` and ``sends_words`` are JSON.
    """

    address: str
    picture: str
    uid: str
    has_picture: bool
    sent: str
    lists_now: str
    lists_then: str
    lists_unknown: str
    send_to: str
    sends_words: str = json.dumps(words.SENDS)

    @property
    def told(self) -> str:
        """What is to be known of the report before it is sent."""
        sent = f"Report: {self.sent}." if self.sent else ""
        lists = self.lists_then if self.uid else self.lists_now
        return " ".join(text for text in (sent, lists) if text)


@dataclass(frozen=True)
class PageReports:
    """Tells pages about reports."""

    reporting: Reporting
    settings: Settings

    def on(self, study_uid: str, asking: Asking) -> ReportLinks:
        """The report on a study, beside an answer that may have been asked for otherwise.

        Raises:
            UnknownStudyError: the study is not here.
        """
        standing = self.reporting.newest(study_uid)
        rules = self.settings
        differs = [
            *(["filters"] if asking.filters else []),
            *(["number of hits"] if asking.k not in {None, rules.search.k} else []),
            *(["marks"] if asking.is_refined else []),
        ]
        return report_links(standing, differs, k=rules.search.k, send_to=rules.report.send_to)


def report_links(
    standing: Standing, differs: Sequence[str], *, k: int, send_to: Sequence[str]
) -> ReportLinks:
    """The report of a page.

    Args:
        standing: the study with the report on it, if there is one.
        differs: what is set on the page and not in reports.
        k: how many studies a report lists.
        send_to: the peers that get every report.
    """
    address, report = links.report(standing.study.study_instance_uid), standing.report
    return ReportLinks(
        address=address,
        picture=f"{address}/picture",
        uid="" if report is None else report.sop_instance_uid,
        has_picture=report is not None and report.has_picture,
        sent=words.sent(standing.sends),
        lists_now=words.report_lists_now(k, differs),
        lists_then=words.report_lists_then(None if report is None else report.created_at, differs),
        lists_unknown=words.report_lists_then(None, differs),
        send_to=json.dumps(list(send_to)),
    )
