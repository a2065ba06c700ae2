"""How fast the layers are, compared with those of Keras and PyTorch."""
