import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_slim")
def keras2_hard_sigmoid(x):
    """The hard sigmoid of Keras 2, `clip(0.2 x + 0.5, 0, 1)`.

    It was the default `recurrent_activation` of Keras 2.0, which the slim-LSTM
    papers used. `keras.activations.hard_sigmoid` of Keras 3 has the slope 1/6
    instead.

    Args:
        x: Input tensor.

    Returns:
        A tensor of the shape and dtype of `x`.
    """
    return ops.clip(0.2 * x + 0.5, 0.0, 1.0)
