"""Probes in tables: a task and a kind each, systems below each other."""

from dataclasses import replace

from evaluation.report.probe_tables import OF_CLASSES, probe_tables
from tests.evaluation.report.made import everything


def test_a_table_for_each_task_and_kind() -> None:
    found = everything().probes or ()
    tables = list(probe_tables(found))
    assert [(one.task, one.title) for one in tables] == [
        ("class", "votes of the nearest (kNN)"),
        ("class", "linear classifier"),
        ("each label", "votes of the nearest (kNN)"),
        ("each label", "linear classifier"),
    ]
    first = tables[0]
    assert (first.training, first.validation, first.test) == (96, 12, 12)
    names = [one.probe.system for one in found[:2]]
    for block in first.blocks:
        assert [line.system for line in block.lines] == names
        for line in block.lines:
            assert line.main.mean == "micro"
            assert [other.mean for other in line.others] == ["class_mean"]
    classes = {row.group for row in found[0].probe.rows if row.group}
    assert {block.name for block in first.classes} == classes
    for one in first.classes:
        assert [figure.measure for _, figure in one.lines] == [OF_CLASSES] * 2
    assert [says for _, says in first.says] == [one.probe.says for one in found[:2]]


def test_classes_that_could_not_be_judged_are_told() -> None:
    (one, *_) = everything().probes or ()
    lacking = (("rare", "no positive image in the test"),)
    (table,) = probe_tables([replace(one, probe=replace(one.probe, left_out=lacking))])
    assert table.left_out == lacking


def test_nothing() -> None:
    assert list(probe_tables([])) == []
