"""What runs in a worker, on the one backend that Keras has there."""
