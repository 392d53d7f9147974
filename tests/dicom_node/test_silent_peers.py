"""Peers that do not answer rest; those that do, whatever they say, do not."""

from dicom_node.silent_peers import SilentPeers


def test_a_peer_rests_until_it_answers() -> None:
    silent = SilentPeers(first_rest_s=100)
    silent.hear("pacs", silent=True)
    silent.hear("other", silent=False)
    assert silent.resting() == ["pacs"]
    silent.hear("pacs", silent=False)
    assert silent.resting() == []


def test_no_rest_is_needed_without_a_first_wait() -> None:
    silent = SilentPeers(first_rest_s=0)
    for _ in range(2000):
        silent.hear("pacs", silent=True)
    assert silent.resting() == []
