"""Names beside points, placed by hand."""

from evaluation.report.name_places import Box, Placed, placed

ROOM = Box(0, 0, 200, 100)


def test_the_right_side_is_the_first_choice() -> None:
    assert list(placed([(50, 50)], ["four"], ROOM)) == [Placed("four", 57, 50, ends=False)]


def test_at_the_edge_it_is_the_left_side() -> None:
    assert list(placed([(190, 50)], ["four"], ROOM)) == [Placed("four", 183, 50, ends=True)]


def test_names_avoid_points_and_each_other() -> None:
    points = [(50.0, 50.0), (60.0, 50.0), (62.0, 52.0)]
    found = list(placed(points, ["aa", "bb", "cc"], ROOM))
    assert found[0] == Placed("aa", 43, 50, ends=True)  # points stand to its right
    assert len(found) == 3
    assert len({(one.x, one.y, one.ends) for one in found}) == 3


def test_what_finds_no_place_is_left_out() -> None:
    assert list(placed([(5, 5)], ["a name that is wider than the room"], ROOM)) == []
    crowd = [(100.0, 50.0)] * 9
    assert len(list(placed(crowd, ["ab"] * 9, ROOM))) == 6


def test_boxes() -> None:
    assert Box(0, 0, 2, 2).overlaps(Box(1, 1, 3, 3))
    assert not Box(0, 0, 2, 2).overlaps(Box(2, 0, 4, 2))
    assert Box(0, 0, 2, 2).inside(Box(0, 0, 2, 2))
    assert not Box(0, 0, 2, 3).inside(Box(0, 0, 2, 2))
