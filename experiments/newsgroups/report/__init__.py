"""The results of the runs, compared with those that the paper prints."""

from experiments.newsgroups.report.output import REPORT

__all__ = ["REPORT"]
