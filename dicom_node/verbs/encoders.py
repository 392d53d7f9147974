"""The verbs of encoders: what there is and what is missing, fetching, trying out, changing over."""

import argparse
from pathlib import Path
from typing import Any

from dicom_node.settings import Settings
from dicom_node.verbs import encoder_rows, encoder_text
from dicom_node.verbs.changeover import add_changeover_verbs
from dicom_node.verbs.encoder_check import run_encoders_check
from dicom_node.verbs.encoder_rows import known_to_archive
from dicom_node.verbs.encoder_shown import described
from dicom_node.verbs.parsing import verb
from dicom_node.verbs.speech import could_not, put, put_json, say
from encoders import registry
from encoders.fetched import is_pickle
from encoders.hub_fetch import Fetched, Request, fetch, published_source


def run_encoders_list(chosen: argparse.Namespace, settings: Settings) -> int:
    """The encoders this version knows, and what each still needs here."""
    known = known_to_archive(settings)
    if known.why_not:
        say(f"the archive was not asked ({known.why_not}): in use is what the settings name")
    found = encoder_rows.rows(settings, known)
    if chosen.json:
        put_json([row.as_json() for row in found])
        return 0
    width = encoder_text.columns()
    put(encoder_text.table(found, width))
    put("")
    put(encoder_text.legend(found, registry.forms(), width))
    return 0


def run_encoders_show(chosen: argparse.Namespace, settings: Settings) -> int:
    """All that an encoder declares, where its weights are, and the space they make."""
    known = known_to_archive(settings)
    facts = described(settings, known, chosen.encoder, chosen.weights)
    if chosen.json:
        put_json(facts)
    else:
        put(encoder_text.facts(facts, encoder_text.columns()))
    return 0


def run_encoders_fetch(chosen: argparse.Namespace, settings: Settings) -> int:
    """Downloads an encoder's published weights, once; afterwards no network is needed."""
    declaration = registry.find(chosen.encoder)
    request = Request(chosen.revision, chosen.token_file, chosen.again)
    try:
        fetched = fetch(declaration, settings.weights_folder, request)
    except KeyboardInterrupt:
        return could_not("interrupted; the same command goes on from there")
    for line in _outcome(declaration.name, fetched):
        put(line)
    if is_pickle(published_source(declaration)) and not settings.encoder.allow_pickle:
        say("it is a pickle: it is opened, as tensors only, once encoder.allow_pickle = true")
    return 0


def _outcome(name: str, fetched: Fetched) -> list[str]:
    locked, before = fetched.locked, fetched.before
    size = f"{locked.size / 1e6:.1f} MB"
    told = f"{locked.file} of {locked.repository}, commit {locked.commit}, {size}"
    if fetched.fault is not None:
        return [f"{name}: the file was {fetched.fault}; mended: {told}", f"  {fetched.path}"]
    how = "fetched" if fetched.downloaded else "already here"
    lines = [f"{name}: {how}: {told}", f"  {fetched.path}", f"  SHA-256 {locked.sha256}"]
    if before is None or before.sha256 == locked.sha256:
        return lines
    return [
        *lines,
        f"  before it was commit {before.commit}, which is kept: its vectors are of another space,",
        f"  and `likeness encoders add {name}` changes over",
    ]


def run_encoders_convert(chosen: argparse.Namespace, _: Settings) -> int:
    """Writes the tensors of a pickle to a safetensors file, which can hold nothing else."""
    from encoders.weights_convert import convert  # noqa: PLC0415 (needs torch)

    count = convert(chosen.pickle, chosen.new)
    put(f"{chosen.new}: {count} tensors")
    return 0


def add_verbs(verbs: Any) -> None:
    """Tells the parser of them."""
    encoders = verbs.add_parser(
        "encoders", help="The encoders: list, show, fetch, check, and changing over."
    )
    actions = encoders.add_subparsers(dest="action", required=True)
    verb(actions, "list", run_encoders_list).add_argument("--json", action="store_true")
    show = verb(actions, "show", run_encoders_show)
    show.add_argument("encoder", metavar="NAME")
    show.add_argument("--weights", type=Path, metavar="PATH", help="a local file")
    show.add_argument("--json", action="store_true")
    fetching = verb(actions, "fetch", run_encoders_fetch)
    fetching.add_argument("encoder", metavar="NAME")
    fetching.add_argument("--revision", help="branch, tag or commit, instead of the declared one")
    fetching.add_argument(
        "--token-file", type=Path, metavar="FILE", help="a token of the hub (default: $HF_TOKEN)"
    )
    fetching.add_argument("--again", action="store_true", help="though they are here")
    check = verb(actions, "check", run_encoders_check)
    check.add_argument("encoder", metavar="NAME", nargs="?", help="(default: the one in use)")
    check.add_argument("--weights", type=Path, metavar="PATH", help="a local file")
    convert = verb(actions, "convert", run_encoders_convert)
    convert.add_argument("pickle", type=Path, metavar="PICKLE")
    convert.add_argument("new", type=Path, metavar="NEW", help="such as weights.safetensors")
    add_changeover_verbs(actions)
