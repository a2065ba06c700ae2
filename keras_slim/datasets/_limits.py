"""The largest inputs that are read, and arrays that are made of them, in bytes.

A compressed file of a few megabytes may hold many gigabytes. Anything larger
than this is refused before it fills the memory.
"""

POST = 2**24  # a text of a corpus
CORPUS = 2**29  # all of them, and an unpacked archive; the original has 2**26
TEXT = 2**29  # a text of characters
LINE = 2**20  # of GloVe vectors
MEMBER = 2**30  # of a zip archive, if it is read as a whole
WORD_IDS = 2**32  # of all posts, padded


def check_size(what, size, limit):
    """Raises a `ValueError` if `what` has more bytes than allowed."""
    if size > limit:
        raise ValueError(
            f"{what} is too large. Expected at most {limit:,} bytes. "
            f"Received: {size:,} or more"
        )


def read_member(archive, name):
    """The content of a member of a `zipfile.ZipFile`, as a whole."""
    size = archive.getinfo(name).file_size
    check_size(f"The member {name!r}", size, MEMBER)
    return archive.read(name)
