"""The model card of a trained encoder: what it is, of what it was made, how good, and for what."""

from collections.abc import Iterator, Sequence
from statistics import median

from encoders.folders.told import TOLD, WEIGHTS, Told
from encoders.training.examples import Examples
from encoders.training.recipe import Recipe
from encoders.training.training import Trained
from evaluation.learning.judged import Judged
from evaluation.report.words import interval, number


def card(
    recipe: Recipe,
    told: Told,
    trained: Trained,
    judged: Judged | None,
    data: str,
    given: Sequence[str] = (),
) -> str:
    """The card, as Markdown.

    Args:
        recipe: it was trained by.
        told: its declaration.
        trained: what came of the run.
        judged: its figures; None where no images were kept for them.
        data: where the images are from, as the user named it.
        given: encoders that it is made of and that were trained before, by recipe: nobody knows
            whom they learned.
    """
    parts = (
        _head(told),
        _use(told),
        _data(trained, data, recipe.targets.aim),
        _figures(judged, trained, given),
        _licence(),
        _made(recipe, told, trained),
    )
    return "\n".join(line for part in parts for line in part) + "\n"


def _head(told: Told) -> Iterator[str]:
    yield f"# {_line(told.name)}"
    yield ""
    yield (f"{_line(told.summary)}. Vectors of {told.dimension} numbers. {_line(told.reference)}.")
    yield ""
    yield "Not a medical device. It finds images that look alike; it makes no diagnosis."


def _licence() -> Iterator[str]:
    yield ""
    yield "## Licence"
    yield ""
    yield "The weights are made of the images above, and of no others unless `made` names some:"
    yield "their licence, and what their patients agreed to, says who may use and pass on the"
    yield "weights. Likeness's own licence covers the code only."


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
        yield f"The head tells, in this order: {', '.join(map(_line, told.outputs))}."


def _data(trained: Trained, data: str, aim: str) -> Iterator[str]:
    examples, split = trained.examples, trained.split
    yield ""
    yield "## Data"
    yield ""
    patients = len(set(examples.patients))
    yield f"{_line(examples.name)} ({_line(data)}): {len(examples)} images of {patients} patients."
    yield (
        f"Learned: {len(split.train)}; chose the epoch: {len(split.validation)}; asked at the end: "
        f"{len(split.test)} ({split.rule})."
    )
    yield ""
    yield from _numbers(examples) if aim == "number" else _counts(examples)
    if examples.notes:
        yield ""
    for note in examples.notes:
        yield f"- {_line(note)}"


def _counts(examples: Examples) -> Iterator[str]:
    yield "| target | positive | known |"
    yield "| --- | --- | --- |"
    for at, name in enumerate(examples.outputs):
        positive = int((examples.targets[:, at] > 0.5).sum())
        yield f"| {_cell(name)} | {positive} | {int(examples.known[:, at].sum())} |"


def _numbers(examples: Examples) -> Iterator[str]:
    yield "| target | least | median | greatest | known |"
    yield "| --- | --- | --- | --- | --- |"
    for at, name in enumerate(examples.outputs):
        told = examples.targets[examples.known[:, at], at].tolist()
        three = " | ".join(f"{one:g}" for one in (min(told), median(told), max(told)))
        yield f"| {_cell(name)} | {three} | {len(told)} |"


def _figures(judged: Judged | None, trained: Trained, given: Sequence[str]) -> Iterator[str]:
    yield ""
    yield "## Figures"
    yield ""
    if judged is None:
        yield "No images were kept to ask with: nothing is known of how good it is."
        return
    yield "Test images ask, images of other patients answer; relevant is what is"
    yield f"{_line(judged.says)}."
    yield "Intervals of 95 % over patients; chance is an order by lot, of the same labels."
    yield ""
    yield "| measure | value | interval | chance | queries |"
    yield "| --- | --- | --- | --- | --- |"
    for row in judged.rows:
        one = row.figure
        mean = "" if one.mean == "micro" else f", {one.mean.replace('_', ' ')}"
        yield (
            f"| {_cell(row.part)}: {one.measure}{mean} | {number(one.value)} | "
            f"{interval(one.low, one.high)} | {number(one.chance)} | {one.queries} |"
        )
    if judged.told:
        yield ""
        said = ", ".join(f"{name} {number(value)}" for name, value in judged.told)
        yield f"Its head on the same images: {said}."
    if len(set(_patients_asked(trained))) < _FEW:
        yield ""
        yield "Few patients ask: read the intervals, not the values."
    if given:
        yield ""
        yield f"It is made of encoders that were trained before ({', '.join(given)}). They may have"
        yield "learned the images that ask: then these figures are too good."


_FEW = 100


def _patients_asked(trained: Trained) -> Sequence[str]:
    return [trained.examples.patients[at] for at in trained.split.test]


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
        yield f"- {name}: {_line(str(value))}"
    for note in recipe.notes:
        yield f"- {_line(note)}"


def _line(text: str) -> str:
    """On one line, whatever was in it."""
    return " ".join(text.split())


def _cell(text: str) -> str:
    return _line(text).replace("\\", "\\\\").replace("|", "\\|")
