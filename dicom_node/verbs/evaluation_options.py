"""The options of ``evaluate``; what it needs to evaluate is imported only once it does."""

import argparse
from datetime import datetime
from pathlib import Path

from dicom_node.verbs.parsing import positive, seed
from evaluation import readers
from evaluation.label_sets import LABEL_SETS, RULES

PROBES = ("knn", "linear")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Tells the parser of them, by what they are about."""
    parser.add_argument(
        "place",
        metavar="PLACE",
        help="a data set's folder or file; 'archive', the site's own; or a paper's table such as"
        " papers/2-table2, of the data set --data",
    )
    _of_tables(parser)
    _of_archives(parser)
    _of_sets(parser)
    _of_systems(parser)
    _of_tasks(parser)
    _of_probes(parser)
    _of_rules(parser)
    _of_output(parser)


def _of_tables(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("a paper's table").add_argument
    add("--data", type=Path, metavar="PLACE", help="its data set")
    add("--as-printed", action="store_true", help="by its own, looser rules")
    add("--grades", type=Path, nargs="*", default=[], metavar="FILE",
        help="of papers/3-ndcg: readers' grades; the first reader's are right")  # fmt: skip


def _of_archives(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("the archive").add_argument
    add("--new-since", type=datetime.fromisoformat, metavar="DATE",
        help="from when images are new, and compared with the others"
        " (default: the last tenth)")  # fmt: skip
    add("--space", metavar="ID", help="of vectors (default: the one that answers)")


def _of_sets(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("the images").add_argument
    add("--reader", choices=readers.READERS, help="the data set's layout (default: recognised)")
    add("--option", action="append", default=[], metavar="KEY=VALUE",
        help="of the layout, such as labeler=negbio (docs/evaluation.md)")  # fmt: skip
    add("--images", choices=("all", "present"), default="all",
        help="present: images that are not there are left out, and told")  # fmt: skip
    add("--where", action="append", default=[], metavar="COLUMN=VALUE", help="only these images")
    add("--boxes", type=Path, metavar="PLACE", help="of the regions that encoders of regions"
        " see: Chest ImaGenome's files, or a CSV file (default: they are estimated)")  # fmt: skip
    add("--make-splits", action="store_true",
        help="train, val and test by lot and by patient, where the data set has none")  # fmt: skip


def _of_systems(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("who is asked").add_argument
    add("--encoder", action="append", default=[], metavar="NAME",
        help="of the registry; random:NAME[:SEED], its network with random weights; folds:FOLDER,"
        " of `train --folds`, each query by the encoder that never saw its patient; pixels; random"
        " (default: that of the settings); may be repeated, and all are compared")  # fmt: skip
    add("--metric", choices=("cosine", "l2", "inner_product"), default="cosine")


def _of_tasks(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("what is asked").add_argument
    add("--classes", action="append", default=[], metavar="COLUMN", help="tells one class each;"
        " 'label' stands for the label of images that have exactly one")  # fmt: skip
    add("--within", metavar="COLUMN", help="whose values are kept apart for the classes")
    add("--labels", nargs="*", metavar="COLUMN=VALUE", help="labels in common, among all images or"
        " those (default where no classes are named)")  # fmt: skip
    add("--label-set", choices=LABEL_SETS, help="labels merged as papers merge them")
    add("--all-answer", action="store_true", help="images without a label answer too")
    add("--number", action="append", default=[], metavar="COLUMN:SCALE[:BIN,BIN]",
        help="graded by a measured value: 1 where equal, 0 from SCALE apart")  # fmt: skip
    add("--strata", nargs="*", metavar="COLUMN", help="what may explain the answers"
        " (default: view, sex, age, scanner, source ... where they are told)")  # fmt: skip


def _of_probes(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("what else").add_argument
    add("--probe", action="append", default=[], choices=PROBES, help="how well the vectors tell"
        " classes or labels: votes of the nearest, or a linear classifier; learned from split"
        " train, judged by test (--make-splits); may be repeated")  # fmt: skip
    add("--ablation", type=int, nargs="*", metavar="SIZE", help="how many images of each class an"
        " index needs: indexes of so many (default: 5 to 3000)")  # fmt: skip
    add("--ablation-queries", type=positive, metavar="N", help="that ask them, of each class (38)")


def _of_rules(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("the rules").add_argument
    add("--apart", choices=("patient", "study", "image"), default="patient",
        help="whose images never answer a query (patient)")  # fmt: skip
    add("--uncertain", choices=RULES, default="ignore", help="what an uncertain label is (ignore)")
    add("--queries", nargs="*", default=[], metavar="SPLIT", help="images of these splits ask")
    add("--index", nargs="*", default=[], metavar="SPLIT", help="images of these splits answer")
    add("--seed", type=seed, default=0, help="of every draw (0)")


def _of_output(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("the report").add_argument
    add("--no-maps", action="store_true", help="without t-SNE, which takes minutes for thousands")
    add("-o", "--output", type=Path, default=Path("evaluation-report"), metavar="FOLDER",
        help="of the report, and of vectors, so that the same command goes on after a stop"
        " (evaluation-report)")  # fmt: skip
    add("--json", action="store_true", help="the report as JSON on stdout")
