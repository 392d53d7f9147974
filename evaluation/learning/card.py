"""The model card of a trained encoder: what it is, of what it was made, how good, and for what."""

from collections.abc import Iterator, Sequence

from encoders.folders.told import TOLD, WEIGHTS, Told
from encoders.training.recipe import Recipe
from encoders.training.training import Trained
from evaluation.learning.judged import Judged
from evaluation.report.words import interval, number


def card(recipe: Recipe, told: Told, trained: Trained, judged: Judged | None, data: str) -> str:
    """The card, as Markdown.

    Args:
        recipe: it was trained by.
        told: its declaration.
        trained: what came of the run.
        judged: its figures; None where no images were kept for them.
        data: where the images are from, as the user named it.
    """
    return "\n".join(_lines(recipe, told, trained, judged, data)) + "\n"


def _lines(
    recipe: Recipe, told: Told, trained: Trained, judged: Judged | None, data: str
) -> Iterator[str]:
    yield f"# {told.name}"
    yield ""
    yield f"{told.summary}. Vectors of {told.dimension} numbers. {told.reference}."
    yield ""
    yield "Not a medical device. It finds images that look alike; it makes no diagnosis."
    yield from _use(told)
    yield from _data(trained, data)
    yield from _figures(judged, trained)
    yield from _licence()
    yield from _made(recipe, told, trained)


def _use(told: Told) -> Iterator[str]:
    made_for = ", ".join(told.modalities) or "the images that it was trained on"
    yield ""
    yield "## Use"
    yield ""
    yield f"Made for {made_for}. In the node's settings:"
    yield ""
    yield "    [encoder]"
    yield '    name = "folder:/path/to/this/folder"'
    yield ""
    yield f"`{TOLD}` declares the network, `{WEIGHTS}` holds its weights and those of its head."
    if told.outputs:
        yield f"The head tells, in this order: {', '.join(told.outputs)}."


def _data(trained: Trained, data: str) -> Iterator[str]:
    examples, split = trained.examples, trained.split
    yield ""
    yield "## Data"
    yield ""
    patients = len(set(examples.patients))
    yield f"{examples.name} ({data}): {len(examples)} images of {patients} patients."
    yield (
        f"Learned: {len(split.train)}; chose the epoch: {len(split.validation)}; asked at the end: "
        f"{len(split.test)} ({split.rule})."
    )
    yield ""
    yield "| target | positive | known |"
    yield "| --- | --- | --- |"
    for at, name in enumerate(examples.outputs):
        positive = int((examples.targets[:, at] > 0.5).sum())
        yield f"| {_cell(name)} | {positive} | {int(examples.known[:, at].sum())} |"
    for note in examples.notes:
        yield f"\n- {note}"


def _figures(judged: Judged | None, trained: Trained) -> Iterator[str]:
    yield ""
    yield "## Figures"
    yield ""
    if judged is None:
        yield "No images were kept to ask with: nothing is known of how good it is."
        return
    yield f"Test images ask, images of other patients answer; relevant is what is {judged.says}."
    yield "Intervals of 95 % over patients; chance is an order by lot, of the same labels."
    yield ""
    yield "| measure | value | interval | chance | queries |"
    yield "| --- | --- | --- | --- | --- |"
    for row in judged.rows:
        one = row.figure
        mean = "" if one.mean == "micro" else f", {one.mean.replace('_', ' ')}"
        yield (
            f"| {row.part}: {one.measure}{mean} | {number(one.value)} | "
            f"{interval(one.low, one.high)} | {number(one.chance)} | {one.queries} |"
        )
    if judged.told:
        yield ""
        said = ", ".join(f"{name} {number(value)}" for name, value in judged.told)
        yield f"Its head on the same images: {said}."
    if len(set(_patients_asked(trained))) < _FEW:
        yield ""
        yield "Few patients ask: read the intervals, not the values."


_FEW = 100


def _patients_asked(trained: Trained) -> Sequence[str]:
    return [trained.examples.patients[at] for at in trained.split.test]


def _licence() -> Iterator[str]:
    yield ""
    yield "## Licence"
    yield ""
    yield "The weights are made of the images above, and of no others unless `made` names some:"
    yield "their licence, and what their patients agreed to, says who may use and pass on the"
    yield "weights. Likeness's own licence covers the code only."


def _made(recipe: Recipe, told: Told, trained: Trained) -> Iterator[str]:
    yield ""
    yield "## Made"
    yield ""
    ended = trained.ended
    if ended is not None:
        yield f"Epoch {ended.epoch} of {len(ended.history)} was kept; {ended.why}."
        if ended.fault:
            yield f"{ended.fault}."
        yield ""
    for name, value in told.made.items():
        yield f"- {name}: {value}"
    for note in recipe.notes:
        yield f"- {note}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
