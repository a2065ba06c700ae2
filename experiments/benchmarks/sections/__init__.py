"""The sections of README.md, each a generator of its paragraphs."""

from experiments.benchmarks.sections.deploy import deploy
from experiments.benchmarks.sections.layers import layers, warnings
from experiments.benchmarks.sections.models import models
from experiments.benchmarks.sections.newsgroups import newsgroups
from experiments.benchmarks.sections.products import products
from experiments.benchmarks.sections.slimming import slimming
from experiments.benchmarks.sections.soak import soak

__all__ = [
    "deploy",
    "layers",
    "models",
    "newsgroups",
    "products",
    "slimming",
    "soak",
    "warnings",
]
