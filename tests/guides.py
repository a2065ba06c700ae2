"""The Python code of the README and of the guides."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def code_of(path):
    """The Python code blocks of a page.

    Args:
        path: String, from the root of the checkout.
    """
    text = (ROOT / path).read_text("utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)
    assert blocks
    return blocks
