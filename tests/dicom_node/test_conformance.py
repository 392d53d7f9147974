"""The conformance statement as a document: its shape, its tables, and what it must not tell."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from dicom_node.conformance.statement import statement
from dicom_node.settings import (
    DicomSettings,
    Peer,
    PressureSettings,
    ReportSettings,
    SearchSettings,
    Settings,
    StudySettings,
    TlsSettings,
    WorkSettings,
)
from dicom_node.settings_file import environment_keys
from tests.dicom_node.doors import everything
from tests.dicom_node.markdown_tables import Table, headings, plain, tables

TODAY = date(2026, 11, 21)
REQUIRED = (
    "1 Conformance Statement Overview",
    "2 Table of Contents",
    "3 Introduction",
    "3.1 Revision History",
    "3.2 Audience",
    "3.3 Remarks",
    "3.4 Terms, Definitions and Abbreviations",
    "3.5 References",
    "4 Networking",
    "4.1 Implementation Model",
    "4.1.1 Application Data Flow",
    "4.1.2 Functional Definition of AEs",
    "4.1.3 Sequencing of Real-World Activities",
    "4.2 AE Specifications",
    "4.2.1.1 SOP Classes",
    "4.2.1.2 Association Policies",
    "4.2.1.2.1 General",
    "4.2.1.2.2 Number of Associations",
    "4.2.1.2.3 Asynchronous Nature",
    "4.2.1.2.4 Implementation Identifying Information",
    "4.2.1.3 Association Initiation Policy",
    "4.2.1.4 Association Acceptance Policy",
    "4.3 Network Interfaces",
    "4.3.1 Physical Network Interface",
    "4.3.2 Additional Protocols",
    "4.4 Configuration",
    "4.4.1 AE Title/Presentation Address Mapping",
    "4.4.1.1 Local AE Titles",
    "4.4.1.2 Remote AE Title/Presentation Address Mapping",
    "4.4.2 Parameters",
    "5 Media Interchange",
    "6 Support of Character Sets",
    "7 Security",
    "7.1 Security Profiles",
    "7.2 Association Level Security",
    "7.3 Application Level Security",
    "8 Annexes",
    "8.1 IOD Contents",
    "8.1.1 Created SOP Instances",
    "8.1.2 Usage of Attributes from Received IODs",
    "8.1.3 Attribute Mapping",
    "8.1.4 Coerced/Modified Fields",
    "8.2 Data Dictionary of Private Attributes",
    "8.3 Coded Terminology and Templates",
    "8.3.1 Context Groups",
    "8.3.2 Template Specifications",
    "8.3.3 Private Code Definitions",
    "8.4 Grayscale Image Consistency",
    "8.5 Standard Extended/Specialized/Private SOP Classes",
    "8.6 Private Transfer Syntaxes",
)
"""The outline of PS3.2 annex A (as it was before 2024), sections A.1 to A.8."""


def printed(**settings: Any) -> str:
    return statement(Settings(**settings), contexts=everything(), on=TODAY)


def parameters(text: str) -> dict[str, str]:
    shown = tables(text)["Parameters"]
    keys = map(plain, shown.column("Parameter"))
    return dict(zip(keys, map(plain, shown.column("Value Here")), strict=True))


def test_sections_of_the_standards_template_stand_in_its_order() -> None:
    found = headings(printed())
    assert [title for title in found if title in REQUIRED] == list(REQUIRED)
    assert found[0] == "DICOM Conformance Statement: Likeness"


def test_contents_list_every_section() -> None:
    text = printed()
    listed = text.split("## 2 Table of Contents\n\n")[1].split("\n\n")[0]
    assert [line.strip(" -") for line in listed.splitlines()] == headings(text)[1:]


def test_same_settings_print_the_same_statement() -> None:
    assert printed() == printed()
    assert "| Date | 2026-11-21 |" in printed()


HOSTILE = ("pa|cs", "a\nb", "`x`", "<script>alert(1)</script>", "| --- |", "``", "\\|", "# 9 Lies")


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_in_the_settings_breaks_a_table(name: str) -> None:
    text = printed(peers=(Peer(name=name, ae_title="A|B", storage_commitment=True),))
    peers = tables(text)["Peers"]
    assert plain(peers.column("AE Title")[0]) == "A|B"
    assert [title for title in headings(text) if title in REQUIRED] == list(REQUIRED)
    assert len(tables(text)) == len(tables(printed())) + 1


def test_what_a_name_holds_is_shown_as_it_is() -> None:
    text = printed(
        peers=(Peer(name="<b>pa|cs`</b>", ae_title="P", storage_commitment=True),),
    )
    assert tables(text)["Peers"].rows[0][0] == "``<b>pa\\|cs`</b>``"
    assert "Asked here is: ``<b>pa|cs`</b>``." in text


def test_every_key_of_the_settings_that_matters_to_a_peer_is_shown_and_explained() -> None:
    keys = {".".join(path) for _, path in environment_keys()}
    left_out = {key for key in keys if key.startswith(("data", "http.", "page."))}  # not of DICOM
    shown = tables(printed())["Parameters"]
    assert {plain(key) for key in shown.column("Parameter")} == keys - left_out
    assert all(shown.column("Meaning"))


SET: dict[str, Any] = {
    "dicom": DicomSettings(
        ae_title="OTHER",
        bind="0.0.0.0",
        port=104,
        listed_peers_only=True,
        check_called_ae=False,
        max_associations=7,
        max_pdu=65_536,
        max_instance_mb=12.5,
        idle_timeout_s=61,
    ),
    "study": StudySettings(close_after_s=77),
    "pressure": PressureSettings(min_free_gb=3.5),
    "search": SearchSettings(k=4),
    "report": ReportSettings(sop_class="enhanced", picture=False, send_to=("pacs",)),
    "work": WorkSettings(send_attempts=9),
    "peers": (Peer(name="pacs", ae_title="PACS", host="pacs.example", port=4242),),
}


def test_values_are_those_of_the_settings() -> None:
    shown = parameters(printed(**SET))
    expected = {
        "dicom.ae_title": "OTHER",
        "dicom.port": "104",
        "dicom.listed_peers_only": "yes",
        "dicom.check_called_ae": "no",
        "dicom.max_associations": "7",
        "dicom.max_pdu": "65536",
        "dicom.max_instance_mb": "12.5",
        "study.close_after_s": "77",
        "pressure.min_free_gb": "3.5",
        "search.k": "4",
        "report.sop_class": "enhanced",
        "report.picture": "no",
        "report.send_to": "pacs",
        "work.send_attempts": "9",
        "spool.keep_gb": "(not set)",
    }
    assert {key: shown[key] for key in expected} == expected


def test_defaults_stand_beside_the_values() -> None:
    table = tables(printed(**SET))["Parameters"]
    defaults = dict(zip(table.column("Parameter"), table.column("Default"), strict=True))
    assert defaults["`dicom.ae_title`"] == "`LIKENESS`"
    assert defaults["`dicom.max_instance_mb`"] == "`4096`"
    assert defaults["`report.picture`"] == "yes"


def _row(table: Table, first: str) -> dict[str, str]:
    (row,) = [row for row in table.rows if plain(row[0]) == first]
    return dict(zip(table.columns, map(plain, row), strict=True))


def test_policies_and_limits_follow_the_settings() -> None:
    found = tables(printed(**SET))
    assert _row(found["Local AE titles"], "Likeness")["TCP Port"] == "104"
    assert _row(found["Limits"], "Associations at once")["At most"] == "7"
    assert _row(found["Limits"], "Silence within an association")["At most"] == "61 s"
    assert _row(found["Limits"], "Length of a data set")["At most"] == "12.5 MB"
    policy = _row(found["General policies"], "Maximum PDU length announced as acceptor")
    assert policy["Value"] == "65536 bytes"


def test_peers_are_listed_with_all_that_is_set_of_them() -> None:
    peers = (
        Peer(name="ct", ae_title="CT1", addresses=("192.0.2.0/24",), reports_to="pacs"),
        Peer(name="pacs", ae_title="PACS", host="pacs.example", port=104, storage_commitment=True),
    )
    listed = tables(printed(peers=peers))["Peers"]
    ct, pacs = _row(listed, "ct"), _row(listed, "pacs")
    assert (ct["Host"], ct["May Call From"], ct["Reports Go To"]) == (
        "(not set)",
        "192.0.2.0/24",
        "pacs",
    )
    assert (pacs["Host"], pacs["Port"], pacs["Storage Commitment Requested"]) == (
        "pacs.example",
        "104",
        "yes",
    )


def test_neither_secrets_nor_places_of_files_are_told() -> None:
    text = printed(
        database_url="postgresql://likeness:hunter2@db.example:5432/likeness",
        data_folder=Path("/srv/likeness-data"),
        tls=TlsSettings(
            port=2762,
            certificate=Path("/etc/pki/node.pem"),
            key=Path("/etc/pki/node.key"),
            trusted=Path("/etc/pki/ca.pem"),
        ),
    )
    for secret in ("hunter2", "db.example", "postgresql", "/srv", "likeness-data", "/etc", "pki"):
        assert secret not in text, secret
    assert parameters(text)["tls.key"] == "(set)"
    assert parameters(text)["tls.port"] == "2762"


def test_security_says_how_the_doors_stand() -> None:
    plain_only, both = (
        printed(),
        printed(
            tls=TlsSettings(port=2762, certificate=Path("c"), key=Path("k"), trusted=Path("t"))
        ),
    )
    assert "no TLS port is open here; the port without TLS is open" in plain_only
    assert "here on TCP port `2762`; the port without TLS is open" in both
    assert "calling AE title (any)" in plain_only
    assert "calling AE title (must be listed)" in printed(**SET)
