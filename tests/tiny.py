import keras

# A network that trains in a second on posts that a test makes.
TINY = {
    "epochs": 4,
    "batch_size": 16,
    "num_words": 40,
    "maxlen": 40,
    "embedding_dim": 8,
    "filters": 4,
    "kernel_size": 2,
    "pool_size": 2,
    "units": 3,
    "dense_units": 5,
    "seed": 3,
    "backend": keras.backend.backend(),
}


def replaced(arguments, *options):
    """A command line with some of its options replaced."""
    names = {option.split("=")[0] for option in options}
    kept = (a for a in arguments if a.split("=")[0] not in names)
    return [*kept, *options]
