"""How fast the layers are, beside those of Keras and PyTorch."""
