import re
from pathlib import Path

from setuptools import setup

readme = Path(__file__).with_name("README.md").read_text("utf-8")
# A package index has neither the pictures nor the files that it links to.
readme = re.sub(r"!?\[([^]]*)\]\((?!https?:)[^)]*\)", r"\1", readme)

setup(long_description=readme)
