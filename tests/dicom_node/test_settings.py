"""The settings: defaults, every fault at once by its key, and what the environment overrides."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from dicom_node.settings import DicomSettings, Peer, Settings
from dicom_node.settings_file import SettingsError, environment_keys, load_settings

SAMPLE = Path(__file__).resolve().parents[2] / "likeness.sample.toml"
PACS: dict[str, Any] = {"name": "pacs", "ae_title": "PACS", "host": "192.0.2.10", "port": 104}


def _written(folder: Path, text: str) -> Path:
    path = folder / "likeness.toml"
    path.write_text(text, encoding="utf-8")
    return path


def _faults(folder: Path, text: str, environment: dict[str, str] | None = None) -> list[str]:
    """The faults of a settings file, without the head line, which names the file."""
    path = _written(folder, text)
    with pytest.raises(SettingsError) as fault:
        load_settings(path, environment or {})
    head, *faults = str(fault.value).splitlines()
    assert head == f"settings in {path}:"
    return [line.strip() for line in faults]


def test_every_key_has_a_default(tmp_path: Path) -> None:
    settings = load_settings(_written(tmp_path, ""), {})
    assert settings == Settings()
    assert (settings.dicom.ae_title, settings.dicom.bind) == ("LIKENESS", "127.0.0.1")
    assert (settings.dicom.port, settings.encoder.name) == (11112, "baseline")
    assert settings.peers == ()


def _uncommented_sample() -> str:
    return re.sub(r"^#(?=\w+ = |\[\[)", "", SAMPLE.read_text("utf-8"), flags=re.MULTILINE)


def test_the_sample_shows_every_key() -> None:
    values = tomllib.loads(_uncommented_sample())
    assert {key for peer in values.pop("peers") for key in peer} == set(Peer.model_fields)
    tables = {key: value for key, value in values.items() if isinstance(value, dict)}
    shown: set[tuple[str, ...]] = {(key,) for key in values.keys() - tables.keys()}
    shown |= {(section, key) for section, table in tables.items() for key in table}
    assert shown == {path for _, path in environment_keys()}


def test_the_sample_shows_the_true_defaults(tmp_path: Path) -> None:
    settings = load_settings(_written(tmp_path, _uncommented_sample()), {})
    assert settings.model_copy(update={"peers": ()}) == Settings()


def test_the_sample_as_it_stands_changes_nothing() -> None:
    assert load_settings(SAMPLE, {}) == Settings()


def test_all_faults_are_told_at_once_each_by_its_key(tmp_path: Path) -> None:
    faults = _faults(
        tmp_path,
        """
        nonsense = 1
        [dicom]
        port = 0
        ae_title = "SEVENTEEN LETTERS"
        [study]
        close_after = 30
        [[peers]]
        name = "ct"
        """,
    )
    assert sorted(line.split(":")[0] for line in faults) == [
        "dicom.ae_title",
        "dicom.port",
        "nonsense",
        "peers.0.ae_title",
        "study.close_after",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[dicom]\nprot = 1", "dicom.prot: no such setting; did you mean dicom.port?"),
        ("[study]\nclose_after = 1", "study.close_after: no such setting; did you mean "),
        ("data_foldr = 'x'", "data_foldr: no such setting; did you mean data_folder?"),
        ("zzzzzzzz = 1", "zzzzzzzz: no such setting"),
    ],
)
def test_an_unknown_key_is_named_with_its_nearest(tmp_path: Path, text: str, expected: str) -> None:
    (fault,) = _faults(tmp_path, text)
    assert fault.startswith(expected)


@pytest.mark.parametrize("text", ["dicom = 5", "peers = 'pacs'", "[[peers]]\nport = 'x'"])
def test_a_value_of_the_wrong_kind_is_a_fault_of_its_key(tmp_path: Path, text: str) -> None:
    faults = _faults(tmp_path, text, {"LIKENESS_DICOM_PORT": "4711"})
    assert all(line.startswith(("dicom:", "peers")) for line in faults)


def test_a_file_that_is_no_toml_says_where(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"not valid TOML: .* line 2"):
        load_settings(_written(tmp_path, "[dicom]\nport = = 1"), {})


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "likeness.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match=f"{path} is not valid TOML"):
        load_settings(path, {})


@pytest.mark.parametrize("name", ["missing.toml", "."])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with pytest.raises(SettingsError, match=f"settings file {path} cannot be read: "):
        load_settings(path, {})


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    path = _written(tmp_path, "data_folder = '/file'\n[dicom]\nport = 104")
    environment = {
        "LIKENESS_DATA_FOLDER": "/environment",
        "LIKENESS_DICOM_PORT": "4711",
        "LIKENESS_STUDY_CLOSE_AFTER_S": "1.5",
        "PATH": "/bin",
    }
    settings = load_settings(path, environment)
    assert settings.data_folder == Path("/environment")
    assert (settings.dicom.port, settings.study.close_after_s) == (4711, 1.5)


def test_an_unknown_variable_of_ours_is_a_fault(tmp_path: Path) -> None:
    (fault,) = _faults(tmp_path, "", {"LIKENESS_DICOM_PROT": "1"})
    assert fault == "LIKENESS_DICOM_PROT: no such setting; did you mean LIKENESS_DICOM_PORT?"


def test_the_file_is_the_one_that_the_environment_names(tmp_path: Path) -> None:
    path = _written(tmp_path, "[dicom]\nport = 105")
    assert load_settings(None, {"LIKENESS_SETTINGS": str(path)}).dicom.port == 105


def test_without_a_file_the_folder_is_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _written(tmp_path, "[dicom]\nport = 106")
    assert load_settings(None, {}).dicom.port == 106


def test_relative_paths_count_from_the_folder_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    path = _written(tmp_path, "data_folder = 'data'\n[encoder]\nweights = 'w.safetensors'")
    settings = load_settings(path, {})
    assert settings.data_folder == tmp_path / "data"
    assert settings.encoder.weights == tmp_path / "w.safetensors"


def test_a_home_folder_is_expanded(tmp_path: Path) -> None:
    settings = load_settings(_written(tmp_path, "data_folder = '~/likeness'"), {})
    assert settings.data_folder == Path.home() / "likeness"


@pytest.mark.parametrize("title", ["A", "SIXTEEN LETTERS!", " PADDED ", "ae@1"])
def test_an_ae_title_of_the_standard_is_taken(title: str) -> None:
    """PS3.5 6.2, VR AE: up to 16 characters; leading and trailing spaces carry no meaning."""
    assert DicomSettings(ae_title=title).ae_title == title.strip()


@pytest.mark.parametrize(
    "title", ["", "   ", "SEVENTEEN LETTERS", "A\\B", "A\tB", "ÄRZTE", "A\x7f"]
)
def test_an_ae_title_against_the_standard_is_refused(title: str) -> None:
    with pytest.raises(ValidationError, match="an AE title"):
        DicomSettings(ae_title=title)


@pytest.mark.parametrize("bind", ["127.0.0.1", "127.8.0.1", "::1", "localhost"])
def test_loopback_needs_no_list_of_peers(bind: str) -> None:
    assert DicomSettings(bind=bind).bind == bind


@pytest.mark.parametrize("bind", ["0.0.0.0", "::", "192.0.2.7", "node.example", ""])
def test_listening_beyond_this_machine_needs_listed_peers(bind: str) -> None:
    with pytest.raises(ValidationError, match="listed_peers_only"):
        DicomSettings(bind=bind)
    assert DicomSettings(bind=bind, listed_peers_only=True).bind == bind


def test_an_empty_list_of_peers_never_means_everybody(tmp_path: Path) -> None:
    (fault,) = _faults(tmp_path, "[dicom]\nbind = '0.0.0.0'\nlisted_peers_only = true")
    assert (
        fault == "dicom.listed_peers_only: needs a [[peers]] entry for each sender; there is none"
    )


@pytest.mark.parametrize(
    ("sender", "expected"),
    [
        ({"name": "pacs"}, "the name pacs is given twice"),
        ({"reports_to": "nobody"}, "'ct' reports to 'nobody', which is no peer's name"),
        ({"reports_to": "ct"}, "'ct' reports to 'ct', which lacks host or port"),
    ],
)
def test_peers_must_fit_together(sender: dict[str, Any], expected: str) -> None:
    peers = [PACS, {"name": "ct", "ae_title": "CT1", **sender}]
    with pytest.raises(ValidationError, match=re.escape(expected)):
        Settings.model_validate({"peers": peers})


def test_reports_go_to_the_peer_that_the_caller_names() -> None:
    sender = {"name": "ct", "ae_title": "CT1", "reports_to": "pacs"}
    settings = Settings.model_validate({"peers": [PACS, sender]})
    assert settings.receiver_of_reports("CT1") == Peer(**PACS)
    assert settings.receiver_of_reports("PACS") is None
    assert settings.receiver_of_reports("UNKNOWN") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[dicom]\nport = ''", "dicom.port: set it or tls.port"),
        ("[tls]\nport = 2762", "tls: a TLS port needs tls.certificate and tls.key"),
        (
            "[tls]\nport = 2762\ncertificate = 'c'\nkey = 'k'",
            "tls: tls.trusted: name the authority",
        ),
        ("[[peers]]\nname = 'p'\nae_title = 'P'\ntls = true", "tls.trusted: needed to call peers"),
        ("[http]\ncertificate = 'c'", "http: HTTPS needs http.certificate and http.key"),
        ("[spool]\nkeep_days = -1", "spool.keep_days: "),
        ("[pressure]\nmax_queued = 0", "pressure.max_queued: "),
        (
            "[[peers]]\nname = 'p'\nae_title = 'P'\naddresses = ['10.0.0.0/33']",
            "peers.0.addresses.0: ",
        ),
        ("[[peers]]\nname = 'p'\nae_title = 'P'\nrule = 'all'", "peers.0.rule: "),
        ("[index]\ncommunities = 'on'", "index.communities: "),
        ("[index]\ncommunities = true", "index.communities: "),
        ("[index]\ncommunities_degree = 0.5", "index.communities_degree: "),
        ("[index]\ncommunities_degree = 'many'", "index.communities_degree: "),
        (
            "[index]\nengine = 'pgvector'\ncommunities = 'louvain'",
            'index: index.engine: communities go with "exact", "hnsw" and "ivf", not with "pgv',
        ),
        (
            "[index]\nengine='milvus'\nmilvus_uri='http://m:1'\ncommunities = 'leiden'",
            "index: index.engine: communities go with",
        ),
        (
            "[[peers]]\nname='p'\nae_title='P'\nrule='index'\nreports_to='q'",
            "peers.0: 'p': reports_to",
        ),
    ],
)
def test_what_cannot_be_is_a_fault(tmp_path: Path, text: str, expected: str) -> None:
    (fault,) = _faults(tmp_path, text)
    assert fault.startswith(expected)


@pytest.mark.parametrize(
    ("addresses", "address", "expected"),
    [
        ((), "192.0.2.1", True),
        (("192.0.2.0/24",), "192.0.2.255", True),
        (("192.0.2.0/24",), "192.0.3.0", False),
        (("192.0.2.7",), "192.0.2.7", True),
        (("192.0.2.7/24",), "192.0.2.9", True),
        (("192.0.2.0/24",), "::ffff:192.0.2.1", True),
        (("2001:db8::/32",), "2001:db8::1", True),
        (("2001:db8::/32",), "192.0.2.1", False),
    ],
)
def test_a_peer_may_call_from_its_addresses(
    addresses: tuple[str, ...], address: str, expected: bool
) -> None:
    peer = Peer(name="ct", ae_title="CT1", addresses=addresses)
    assert peer.may_call_from(address) == expected


def test_only_who_is_asked_with_alone_is_not_indexed() -> None:
    rules = {"A": "index", "B": "answer", "C": "index and answer"}
    peers = [{"name": ae, "ae_title": ae, "rule": rule} for ae, rule in rules.items()]
    settings = Settings.model_validate({"peers": peers})
    assert {ae for ae in "ABCD" if settings.indexes(ae)} == {"A", "C", "D"}


def test_the_files_of_tls_count_from_the_folder_of_the_settings(tmp_path: Path) -> None:
    text = "[tls]\nport = 2762\ncertificate = 'c.pem'\nkey = '/k.pem'\ntrusted = 't.pem'"
    tls = load_settings(_written(tmp_path, text), {}).tls
    assert (tls.certificate, tls.key) == (tmp_path / "c.pem", Path("/k.pem"))
    assert tls.trusted == tmp_path / "t.pem"


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().dicom.port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("fetch_from = 'nobody'", "'nobody', which is no peer's name"),
        ("fetch_from = 'orthanc'", "needs encoder.orthanc_url"),
        ("precision = 'fp8'", "encoder.precision"),
        ("batch = 0", "encoder.batch"),
    ],
)
def test_encoder_settings_that_cannot_be_meant(tmp_path: Path, text: str, reason: str) -> None:
    assert any(reason in line for line in _faults(tmp_path, f"[encoder]\n{text}"))


def test_images_may_be_fetched_from_a_listed_peer() -> None:
    fetched = Settings(encoder={"fetch_from": "pacs"}, peers=[PACS])
    assert fetched.encoder.fetch_from == "pacs"
    assert fetched.peers[0].retrieve == "c-get"
