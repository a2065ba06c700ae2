"""The sections of README.md, each a generator of its paragraphs."""

from experiments.benchmarks.sections.floors import floors
from experiments.benchmarks.sections.layers import layers, warnings
from experiments.benchmarks.sections.newsgroups import newsgroups

__all__ = ["floors", "layers", "newsgroups", "warnings"]
