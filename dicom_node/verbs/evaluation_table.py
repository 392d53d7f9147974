"""``evaluate papers/...``: a table of a paper, ours beside what the paper prints."""

import argparse
from dataclasses import replace

from dicom_node.settings import Settings
from dicom_node.verbs.bars import bar, onto
from dicom_node.verbs.evaluation_sources import read, systems
from dicom_node.verbs.speech import put, say
from evaluation import papers
from evaluation.grades import read_grades
from evaluation.papers.named_table import OF_ONE_VECTOR, Terms
from evaluation.papers.rendering import markdown, text


def run(chosen: argparse.Namespace, settings: Settings) -> int:
    """Makes the table, prints it, and writes it as Markdown.

    All that can be refused is refused before anything is embedded, which may take hours.
    """
    named = papers.table(chosen.place)
    if chosen.data is None:
        wants = f"{named.wants.says} (readers: {', '.join(named.wants.readers)})"
        chosen.misused(f"{named.id} wants {wants}: name it with --data")
    collection, given = read(chosen, settings, str(chosen.data))
    graded = [read_grades(path, collection) for path in chosen.grades]
    terms = Terms(
        chosen.as_printed,
        chosen.make_splits,
        chosen.seed,
        truth=graded[0] if graded else None,
        others=tuple(graded[1:]),
    )
    named.must_be_made_of(collection, terms)
    asked = tuple(systems(chosen, settings, collection, given, OF_ONE_VECTOR))
    with bar(named.id, "query") as shown:
        made = named.run(collection, asked, replace(terms, progress=onto(shown)))
    chosen.output.mkdir(parents=True, exist_ok=True)
    file = chosen.output / f"{named.id.replace('/', '-')}.md"
    file.write_text(markdown(made), encoding="utf-8")
    put(text(made))
    say(f"the table: {file}")
    return 0
