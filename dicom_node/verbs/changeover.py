"""The verbs of changing over from one encoder to another: add, use, stop, remove, status."""

import argparse
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from dicom_node.changeover import asked, telling
from dicom_node.changeover.asked import Outcome
from dicom_node.changeover.progress import ChangeoverProgress, in_words
from dicom_node.database import open_database
from dicom_node.settings import Settings
from dicom_node.verbs.bars import bar, onto
from dicom_node.verbs.parsing import verb
from dicom_node.verbs.speech import could_not, put, put_json, say
from storage import embeddings, spaces
from storage.spaces import KnownSpace

LOOK_S = 0.5


def run_add(chosen: argparse.Namespace, settings: Settings) -> int:
    """Embeds the archive by another encoder beside the running one, then changes over to it."""
    with open_database(settings) as engine:
        found = asked.ask_for(
            engine, settings, chosen.encoder, weights=chosen.weights, switch=chosen.switch
        )
        name = f"space {found.space.id} ({found.space.encoder})"
        if found.outcome is not Outcome.WANTED:
            put(f"{name} answers" + (" already" if found.outcome is Outcome.IN_USE else " now"))
            return 0
        if not asked.node_runs(settings):
            put(f"{name} is wanted; no node runs here: `likeness serve` embeds the archive into it")
            return 0
        if not chosen.wait:
            put(f"{name} is being filled: `likeness encoders status` tells how far it is")
            return 0
        try:
            return _follow(engine, found.space.id)
        except KeyboardInterrupt:
            say("the node goes on with it: `likeness encoders status` tells how far it is")
            return 0


def _follow(engine: Engine, space_id: str) -> int:
    """Shows what the node does until it is done, or can do no more."""
    with bar("embedding", "image") as shown:
        tell = onto(shown)
        while True:
            space = _space(engine, space_id)
            if space is None or space.wanted_since is None:
                break
            progress = ChangeoverProgress.of(space)
            tell(progress.done, progress.images)
            if progress.is_stuck and (progress.lacking or progress.faults):
                shown.close()
                return _stuck(space, progress)
            if progress.is_complete and not progress.switch:
                break
            time.sleep(LOOK_S)
    return _ended(engine, space_id)


def _space(engine: Engine, space_id: str) -> KnownSpace | None:
    with engine.connect() as connection:
        known = spaces.known(connection)
    return next((entry for entry in known if entry.id == space_id), None)


def _stuck(space: KnownSpace, progress: ChangeoverProgress) -> int:
    for line in telling.lacking_text(progress):
        say(line)
    return could_not(
        f"space {space.id} lacks {progress.missing} of {progress.images} images and is not taken "
        "into use by itself; the node tries them again every few minutes, and `likeness encoders "
        f"use {space.id} --incomplete` changes over without them"
    )


def _ended(engine: Engine, space_id: str) -> int:
    space = _space(engine, space_id)
    with engine.connect() as connection:
        used = spaces.in_use(connection)
        count = embeddings.live_count(connection, space_id=space_id)
    if space is None:
        return could_not(f"space {space_id} was removed")
    if (overlap := ChangeoverProgress.of(space).overlap) is not None:
        put(f"compared with the space before it: {in_words(overlap)}")
    if used is not None and used.id == space_id:
        put(f"space {space_id} ({space.summary.encoder}) answers now: {count} vectors")
        return 0
    if space.wanted_since is None:
        return could_not(f"space {space_id} is not wanted any more; what was embedded stays")
    put(f"space {space_id} is complete: `likeness encoders use {space_id}` takes it into use")
    return 0


def run_use(chosen: argparse.Namespace, settings: Settings) -> int:
    """Takes a space into use at once that has all images: to go back, or after --no-switch."""
    with open_database(settings) as engine:
        space = asked.find_space(engine, chosen.space)
        with engine.connect() as connection:
            used = spaces.in_use(connection)
        if used is not None and used.id == space.id:
            put(f"space {space.id} ({space.summary.encoder}) answers already")
            return 0
        gap = asked.use(engine, settings, space, incomplete=chosen.incomplete)
    if gap.missing and not chosen.incomplete:
        return could_not(
            f"space {space.id} lacks {gap.missing} of {gap.images} images: `likeness encoders add "
            f"{space.id}` embeds them and changes over, `likeness encoders use {space.id} "
            "--incomplete` changes over without them"
        )
    put(f"space {space.id} ({space.summary.encoder}) answers now")
    if gap.missing:
        say(
            f"{gap.missing} images are not in it; studies without any other are set aside: "
            "`likeness failed` lists them, and who sends them again has them worked"
        )
    return 0


def run_stop(_: argparse.Namespace, settings: Settings) -> int:
    """Ends the filling of a wanted space; what was embedded stays."""
    with open_database(settings) as engine, engine.begin() as connection:
        ended = spaces.unwant(connection)
    if not ended:
        return could_not("no space is being filled")
    put(f"space {', '.join(ended)} is not filled any more; `likeness encoders add` goes on with it")
    return 0


def run_remove(chosen: argparse.Namespace, settings: Settings) -> int:
    """Deletes a space that is not in use, with its vectors."""
    with open_database(settings) as engine:
        space = asked.find_space(engine, chosen.space)
        with engine.connect() as connection:
            count = embeddings.live_count(connection, space_id=space.id)
        name = f"space {space.id} ({space.summary.encoder})"
        if not chosen.yes:
            return could_not(f"{name} with its {count} vectors would be deleted: say so by --yes")
        asked.remove(engine, settings, space)
    put(f"{name} is deleted: {count} vectors")
    return 0


def run_status(chosen: argparse.Namespace, settings: Settings) -> int:
    """The spaces: which answers, which is being filled and how far, and what is lacking."""
    with open_database(settings) as engine, engine.connect() as connection:
        if chosen.json:
            put_json(telling.spaces_json(connection))
        else:
            put(telling.spaces_text(connection))
    return 0


def add_changeover_verbs(actions: Any) -> None:
    """``likeness encoders add|use|stop|remove|status``."""
    add = verb(actions, "add", run_add)
    add.add_argument("encoder", metavar="NAME", help="an encoder's, or the id of a space")
    add.add_argument("--weights", type=Path, metavar="PATH", help="a local file")
    add.add_argument(
        "--no-switch", dest="switch", action="store_false", help="fill it, but go on as before"
    )
    add.add_argument("--no-wait", dest="wait", action="store_false", help="return at once")
    use = verb(actions, "use", run_use)
    use.add_argument("space", metavar="SPACE", help="its id, or its encoder's name")
    use.add_argument("--incomplete", action="store_true", help="though it lacks images")
    verb(actions, "stop", run_stop)
    remove = verb(actions, "remove", run_remove)
    remove.add_argument("space", metavar="SPACE", help="its id, or its encoder's name")
    remove.add_argument("--yes", action="store_true", help="delete it")
    verb(actions, "status", run_status).add_argument("--json", action="store_true")
