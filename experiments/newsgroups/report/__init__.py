"""What the runs came to, beside what the paper prints."""

from experiments.newsgroups.report.contents import contents
from experiments.newsgroups.report.output import show, write
from experiments.newsgroups.report.tables import layers, table
from experiments.newsgroups.report.verdicts import verdicts

__all__ = ["contents", "layers", "show", "table", "verdicts", "write"]
