"""Mutated files: each is named by its seed, a kind of mutation and a number, and nothing else."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from math import ceil
from random import Random

from tests.fuzzing import byte_mutations, element_mutations, pixel_mutations, value_mutations
from tests.fuzzing.layout import Element, Layout, read_layout
from tests.fuzzing.reads import is_read
from tests.fuzzing.seeds import Seed
from tests.fuzzing.splices import Splice, spliced

Mutation = Callable[[Layout, Random], Sequence[Splice]]

_BYTES: Mapping[str, Mutation] = {
    mutation.__name__: mutation
    for mutation in (
        byte_mutations.flip_bits,
        byte_mutations.overwrite_bytes,
        byte_mutations.cut_block,
        byte_mutations.insert_block,
        byte_mutations.repeat_block,
        byte_mutations.move_block,
        byte_mutations.truncate,
    )
}
_STRUCTURE: Mapping[str, Mutation] = {
    mutation.__name__: mutation
    for mutation in (
        element_mutations.change_vr,
        element_mutations.change_length,
        element_mutations.change_tag,
        element_mutations.delete_element,
        element_mutations.repeat_element,
        element_mutations.swap_elements,
        element_mutations.swap_values,
        element_mutations.nest_deeper,
        element_mutations.lose_delimiter,
        element_mutations.stray_delimiter,
        element_mutations.length_to_undefined,
        value_mutations.set_number,
        value_mutations.set_string,
        value_mutations.set_geometry,
        value_mutations.set_lookup_table,
        value_mutations.set_transfer_syntax,
        value_mutations.set_text,
        value_mutations.set_unread,
        value_mutations.empty_value,
        pixel_mutations.flip_pixel_bits,
        pixel_mutations.overwrite_pixels,
        pixel_mutations.cut_pixels,
        pixel_mutations.insert_pixels,
        pixel_mutations.truncate_pixels,
        pixel_mutations.change_pixel_length,
        pixel_mutations.change_offsets,
        pixel_mutations.merge_fragments,
        pixel_mutations.drop_fragment,
        pixel_mutations.double_fragment,
        pixel_mutations.stray_pixel_item,
        pixel_mutations.change_marker_segment,
        pixel_mutations.lose_marker_segment,
        pixel_mutations.change_rle_header,
    )
}
_ALL: Mapping[str, Mutation] = {**_BYTES, **_STRUCTURE}
_SEVERAL = "several"
KINDS = (*_ALL, _SEVERAL)


class Place(Enum):
    """Where a file was changed, which decides what may come of it."""

    CUT = "pixel data cut short"
    SHIFTED = "native pixel data, bytes put in"
    NATIVE = "native pixel data, values"
    CODED = "compressed pixel data"
    UNREAD = "elements without a say"
    ANYWHERE = "anywhere else"


@dataclass(frozen=True)
class Recipe:
    """What a mutated file is made from; its text can be copied into the corpus."""

    seed: str
    kind: str
    number: int

    def __str__(self) -> str:
        return f"{self.seed} {self.kind} {self.number}"

    @classmethod
    def parse(cls, text: str) -> "Recipe":
        """The recipe of which ``text`` is the text."""
        seed, kind, number = text.rsplit(" ", 2)
        return cls(seed, kind, int(number))


@dataclass(frozen=True)
class Mutant:
    """A mutated file."""

    recipe: Recipe
    data: bytes
    place: Place


def schedule(seeds: Mapping[str, Seed], count: int) -> Iterator[Recipe]:
    """At least ``count`` recipes: seeds by their weight, and of each seed all kinds in turn."""
    total = sum(seed.weight for seed in seeds.values())
    for position, seed in enumerate(seeds.values()):
        # seeds begin at different kinds, so that a short run meets all of them
        for step in range(ceil(count * seed.weight / total)):
            kind = KINDS[(step + 7 * position) % len(KINDS)]
            yield Recipe(seed.name, kind, step // len(KINDS))


def mutate(seed: Seed, recipe: Recipe) -> Mutant:
    """Make the mutated file of a recipe; the same every time, on every machine."""
    rng = Random(str(recipe))
    if recipe.kind == _SEVERAL:
        return Mutant(recipe, seed.packed(_several(seed.flat, rng)), Place.ANYWHERE)
    raw = recipe.kind in _BYTES
    layout = seed.raw if raw else seed.flat
    splices = _splices(layout, recipe.kind, rng)
    data = spliced(layout.data, splices)
    return Mutant(recipe, data if raw else seed.packed(data), _place(layout, splices))


def _several(layout: Layout, rng: Random) -> bytes:
    """Two to four mutations, one upon the other."""
    for _ in range(rng.randrange(2, 5)):
        layout = read_layout(spliced(layout.data, _splices(layout, rng.choice(list(_ALL)), rng)))
    return layout.data


def _splices(layout: Layout, kind: str, rng: Random) -> Sequence[Splice]:
    """The edits of a kind; flipped bits where that kind changes nothing in this file."""
    found = _ALL[kind](layout, rng) if layout.elements or kind in _BYTES else []
    if all(layout.data[splice.start : splice.stop] == splice.new for splice in found):
        return byte_mutations.flip_bits(layout, rng)
    return found


def _place(layout: Layout, splices: Sequence[Splice]) -> Place:
    size = len(layout.data)
    pixels = layout.pixel_data()
    if pixels is None:
        deflated = not layout.elements
        cut = deflated and any(s.stop == size and not s.new and s.start > 400 for s in splices)
        return Place.CUT if cut else Place.ANYWHERE
    start, stop = pixel_mutations.value_span(layout)
    if any(s.stop == size and not s.new and start <= s.start < stop for s in splices):
        return Place.CUT
    if all(start <= s.start and s.stop <= stop for s in splices):
        return _place_in_pixels(layout, splices)
    return Place.UNREAD if all(_is_unread(layout, s) for s in splices) else Place.ANYWHERE


def _place_in_pixels(layout: Layout, splices: Sequence[Splice]) -> Place:
    if layout.fragments():
        return Place.CODED
    grown = sum(len(splice.new) - (splice.stop - splice.start) for splice in splices)
    if grown:
        return Place.CUT if grown < 0 else Place.SHIFTED
    return Place.NATIVE


def _is_unread(layout: Layout, splice: Splice) -> bool:
    """Whether an edit stays within the value of an element without a say, or replaces it whole."""
    return any(
        _within(splice, element) or _whole(layout, splice, element)
        for element in layout.leaves()
        if not is_read(element)
    )


def _within(splice: Splice, element: Element) -> bool:
    inside = element.head.value_at <= splice.start and splice.stop <= element.end
    return splice.keeps_length and inside


def _whole(layout: Layout, splice: Splice, element: Element) -> bool:
    """Replaced at the root by nothing, or by an element of its own tag."""
    if element.inside or (splice.start, splice.stop) != (element.head.at, element.end):
        return False
    return not splice.new or splice.new[:4] == layout.data[splice.start : splice.start + 4]
