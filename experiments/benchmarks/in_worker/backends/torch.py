import keras
import torch

from experiments.benchmarks.in_worker.memory import peak_of

JITS = (False,)


def has_gpu():
    return torch.cuda.is_available()


def threads():
    return torch.get_num_threads()


def tensor(array, dtype):
    # On the device that Keras puts its own tensors on.
    return keras.ops.convert_to_tensor(array, dtype)


class TorchLSTM(torch.nn.LSTM):
    """`torch.nn.LSTM` with the interface of `keras.layers.LSTM`.

    Args:
        units: Integer, number of units.
        features: Integer, number of input features.
        dtype: Name of the dtype.
    """

    def __init__(self, units, features, dtype):
        super().__init__(
            features,
            units,
            batch_first=True,
            dtype=getattr(torch, dtype),
            device="cuda" if has_gpu() else "cpu",
        )

    def forward(self, inputs, training=None):
        return super().forward(inputs)[0]

    @property
    def weights(self):
        """Kernel, recurrent kernel and bias, as in Keras."""
        return in_keras_form([*self.parameters()])

    @torch.no_grad()
    def set_weights(self, values):
        for weight, value in zip(self.weights, values, strict=True):
            weight.copy_(torch.as_tensor(value))
        self.bias_hh_l0.zero_()


def in_keras_form(weights):
    """Weights of `TorchLSTM`, or their gradients, as in Keras.

    The second bias, which Keras does not have, is left out.
    """
    kernel, recurrent_kernel, bias, _ = weights
    return [kernel.T, recurrent_kernel.T, bias]


def inference(layer, inputs, jit):
    @torch.no_grad()
    def forward():
        return layer(inputs, training=False)

    return _waiting(forward)


def training(layer, inputs, upstream, jit, learning_rate):
    if isinstance(layer, TorchLSTM):
        weights = [*layer.parameters()]
    else:
        weights = [weight.value for weight in layer.trainable_weights]
    inputs = inputs.clone().requires_grad_()

    def step():
        outputs = layer(inputs, training=True)
        *by_weights, by_inputs = torch.autograd.grad(
            outputs, [*weights, inputs], upstream
        )
        with torch.no_grad():
            for weight, gradient in zip(weights, by_weights, strict=True):
                weight.sub_(gradient, alpha=learning_rate)
        return [outputs.detach(), *by_weights, by_inputs]

    return _waiting(step)


def compiled(function, arguments, jit):
    return _waiting(torch.no_grad()(lambda: function(*arguments)))


def product_in_a_loop(state, matrix, steps, jit):
    """`state @ matrix` in a loop."""
    rows, columns = matrix.shape
    # PyTorch computes each step, even if all are the same.
    wide = state.tile(1, rows // state.shape[1])
    product = state.new_empty(len(state), columns)

    @torch.no_grad()
    def loop():
        for _ in range(steps):
            torch.mm(wide, matrix, out=product)
        return product

    return _waiting(loop)


def _waiting(function):
    if not has_gpu():
        return function

    def call():
        result = function()
        torch.cuda.synchronize()
        return result

    return call


def peak_memory(call):
    if not has_gpu():
        return peak_of(call)
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    call()
    return torch.cuda.max_memory_allocated() - before


def compilations():
    return lambda: None
