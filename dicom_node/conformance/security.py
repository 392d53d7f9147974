"""Sections 5 to 7 of PS3.2 annex A: media, character sets, security."""

from dicom_node.conformance.markdown import Section, bullets, literal, paragraphs, table
from dicom_node.conformance.subject import Subject
from dicom_node.settings import Settings
from dicom_node.tls import SUITES

WRITTEN_CHARACTER_SET = "ISO_IR 192"

_SINGLE = "single-byte, without code extensions"
_EXTENDED = "single-byte, with code extensions (PS3.5 6.1.2.5)"
_MULTIPLE = "multi-byte, with code extensions"
_WHOLE = "multi-byte, without code extensions"

CHARACTER_SETS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        _SINGLE,
        (
            *("ISO_IR 6", "ISO_IR 100", "ISO_IR 101", "ISO_IR 109", "ISO_IR 110", "ISO_IR 144"),
            *("ISO_IR 127", "ISO_IR 126", "ISO_IR 138", "ISO_IR 148", "ISO_IR 13", "ISO_IR 166"),
        ),
    ),
    (
        _EXTENDED,
        (
            *("ISO 2022 IR 6", "ISO 2022 IR 100", "ISO 2022 IR 101", "ISO 2022 IR 109"),
            *("ISO 2022 IR 110", "ISO 2022 IR 144", "ISO 2022 IR 127", "ISO 2022 IR 126"),
            *("ISO 2022 IR 138", "ISO 2022 IR 148", "ISO 2022 IR 13", "ISO 2022 IR 166"),
        ),
    ),
    (_MULTIPLE, ("ISO 2022 IR 87", "ISO 2022 IR 159", "ISO 2022 IR 149", "ISO 2022 IR 58")),
    (_WHOLE, ("ISO_IR 192", "GB18030", "GBK")),
)
"""Defined terms of Specific Character Set (PS3.3 C.12.1.1.2) that are read."""


def media() -> Section:
    """None."""
    return Section("Media Interchange", "Not supported.")


def character_sets() -> Section:
    """Which are read, and which is written."""
    rows = [(kind, ", ".join(map(literal, terms))) for kind, terms in CHARACTER_SETS]
    return Section(
        "Support of Character Sets",
        paragraphs(
            "Data sets are kept as they came, in whatever character set. Of an instance's patient "
            "and study attributes, the text is read in these character sets, alone or, where code "
            "extensions allow it, several together:",
            table("Character sets read", ("Kind", "Defined Terms"), rows),
            "Without Specific Character Set (0008,0005), and with a term that is none of these, "
            "text is read as ISO 8859-1, which holds the default repertoire. Bytes that are no "
            "text in their character set are replaced.",
            f"Everything that this node makes is written in `{WRITTEN_CHARACTER_SET}` (UTF-8), "
            "which can say whatever the query said. Code meanings and sentences are in English.",
        ),
    )


def security(subject: Subject) -> Section:
    """Secure transport, who is let in, and what is written down."""
    return Section(
        "Security",
        parts=(
            Section("Security Profiles", _profiles(subject.settings)),
            Section("Association Level Security", _association_level(subject.settings)),
            Section("Application Level Security", _application_level(subject.settings)),
        ),
    )


def _profiles(settings: Settings) -> str:
    port = settings.tls.port
    here = "no TLS port is open here" if port is None else f"here on TCP port {literal(port)}"
    callers = "must" if settings.tls.client_certificates else "need not"
    plain = "is closed" if settings.dicom.port is None else "is open"
    called = [literal(peer.name) for peer in settings.peers if peer.tls]
    return paragraphs(
        "Supported is the *BCP 195 RFC 8996, 9325 TLS Secure Transport Connection Profile* "
        f"(PS3.15 B.12), {here}; the port without TLS {plain}. Called over TLS, as the settings "
        f"say of each peer, {'is' if len(called) == 1 else 'are'}: "
        f"{', '.join(called) or 'none'}.",
        bullets(
            "TLS 1.3 is preferred; TLS 1.2 is spoken with the cipher suites "
            f"{', '.join(map(literal, SUITES))}. Older versions are refused.",
            "Keys: RSA from 2048 bits, elliptic curves from 224 bits. No compression, no "
            "renegotiation, no resumption of sessions.",
            f"Callers {callers} show a certificate that an authority of `tls.trusted` signed.",
            "A peer that we call must show a certificate that an authority of `tls.trusted` "
            "signed and that names the host that was called. Ours is shown if it is set.",
            "One TLS connection carries one association. There is no fall-back to plain "
            "connections.",
        ),
        "Other profiles of PS3.15 (secure use, digital signatures, media, audit trail, "
        "attribute confidentiality) are not supported.",
    )


def _association_level(settings: Settings) -> str:
    listed = settings.dicom.listed_peers_only
    return paragraphs(
        f"Callers are checked by calling AE title {'(must be listed' if listed else '(any'}), by "
        "the address that they call from, where the peer's entry names some, and by called AE "
        f"title ({'checked' if settings.dicom.check_called_ae else 'not checked'}). The node "
        "refuses to listen beyond its own machine without a list of peers. Every refusal is one "
        "line in the log, with who called, from where, and why.",
        "User Identity Negotiation (PS3.7 D.3.3.7) is not supported: what a requestor proposes "
        "of it is passed over.",
    )


def _application_level(settings: Settings) -> str:
    named = (
        "Reports name similar studies of other patients by their UIDs and dates: they are meant "
        "for use within the house"
        if settings.report.privacy == "identified"
        else "Reports name similar studies of other patients by case numbers, made by a keyed "
        "hash, and tell neither their UIDs nor their dates"
    )
    return paragraphs(
        "Every search is written into the node's database: who asked, which study, when, with "
        "which settings, and what was answered. These are not the audit messages of PS3.15 A.5.",
        f"{named} (`report.privacy`). That is no de-identification by PS3.15 annex E.",
        "Logs carry UIDs and AE titles, never names of patients.",
    )
