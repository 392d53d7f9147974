"""The table of recipes in docs/training.md, as the files have it.

``python -m tests.encoders.training.recipe_table`` writes it into the document anew.
"""

from pathlib import Path

from encoders.training.recipe import Recipe
from encoders.training.recipe_files import names, read_recipe

DOCUMENT = Path(__file__).parents[3] / "docs" / "training.md"
BEGIN, END = "<!-- recipes: begin -->\n", "<!-- recipes: end -->\n"


def table() -> str:
    """All recipes that come with Likeness."""
    lines = [
        "| recipe | what it is | paper | aim | loss | begins with |",
        "|---|---|---|---|---|---|",
    ]
    lines += [_row(read_recipe(name)) for name in names()]
    return "\n".join(lines) + "\n"


def _row(recipe: Recipe) -> str:
    cells = (
        f"`{recipe.name}`",
        recipe.summary,
        str(recipe.paper or "-"),
        recipe.targets.aim,
        "not trained" if recipe.loss == "none" else recipe.loss,
        ", ".join(f"`{one.recipe}`" for one in recipe.needs) or recipe.network.init or "-",
    )
    return f"| {' | '.join(cells)} |"


def written(document: str) -> tuple[str, str, str]:
    """What stands before the table, the table, and what stands after it."""
    before, rest = document.split(BEGIN)
    found, after = rest.split(END)
    return before, found, after


if __name__ == "__main__":
    start, _, rest = written(DOCUMENT.read_text("utf-8"))
    DOCUMENT.write_text(start + BEGIN + table() + END + rest, "utf-8")
