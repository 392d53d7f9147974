"""The table of encoders in docs/encoders.md, as the registry has it.

``python -m tests.encoders.encoder_table`` writes it into the document anew.
"""

from pathlib import Path

from encoders.declaration import Declaration, Hub, InFolder, OwnFile
from encoders.fetched import is_pickle
from encoders.registry import declarations, forms

DOCUMENT = Path(__file__).parents[2] / "docs" / "encoders.md"
BEGIN, END = "<!-- encoders: begin -->\n", "<!-- encoders: end -->\n"


def table() -> str:
    """All declared encoders, then the forms of names."""
    lines = ["| name | what it is | input | vector | made for | licence of the weights | weights |"]
    lines.append("|---|---|---|---|---|---|---|")
    lines += [_row(entry) for entry in declarations()]
    lines += [f"| `{form.pattern}` | {form.summary} | | | | its own | |" for form in forms()]
    return "\n".join(lines) + "\n"


def _row(entry: Declaration) -> str:
    cells = (
        f"`{entry.name}`",
        entry.summary,
        "as it is" if entry.preprocessing is None else str(entry.preprocessing.size),
        str(entry.dimension or "the file's"),
        ", ".join(entry.modalities) or "any",
        entry.licence,
        _weights(entry),
    )
    return f"| {' | '.join(cells)} |"


def _weights(entry: Declaration) -> str:
    if isinstance(entry.source, OwnFile):
        return "a file of yours"
    if isinstance(entry.source, InFolder):
        return "come with Likeness"
    if not isinstance(entry.source, Hub):
        return "none needed"
    page = f"[{entry.source.repository}](https://huggingface.co/{entry.source.repository})"
    gated = ", after accepting its terms" if entry.source.gated else ""
    return f"{page}{gated}{', a pickle' if is_pickle(entry.source) else ''}"


def written(document: str) -> tuple[str, str, str]:
    """What stands before the table, the table, and what stands after it."""
    before, rest = document.split(BEGIN)
    middle, after = rest.split(END)
    return before, middle, after


if __name__ == "__main__":
    before, _, after = written(DOCUMENT.read_text("utf-8"))
    DOCUMENT.write_text(f"{before}{BEGIN}{table()}{END}{after}", "utf-8")
