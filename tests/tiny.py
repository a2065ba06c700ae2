import keras

# A network that trains in a second, on posts of a test's own making.
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
