"""The code that runs in a worker, on the Keras backend of its process."""
