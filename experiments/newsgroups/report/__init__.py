"""The results of the runs, compared with those that the paper prints."""

from experiments.newsgroups.report.contents import contents
from experiments.newsgroups.report.output import show, write

__all__ = ["contents", "show", "write"]
