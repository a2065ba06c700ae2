"""The recurrent cells of a model, and where they are in it."""

import dataclasses

import keras

from keras_slim import named, variants
from keras_slim.cells import SlimRNNCell
from keras_slim.layers import SlimRNN

_OF_KERAS = {
    "lstm": (keras.layers.LSTM, keras.layers.LSTMCell),
    "gru": (keras.layers.GRU, keras.layers.GRUCell),
}
OURS = (SlimRNN, SlimRNNCell) + tuple(
    value
    for value in vars(named).values()
    if isinstance(value, type) and issubclass(value, (SlimRNN, SlimRNNCell))
)


@dataclasses.dataclass(frozen=True, eq=False)
class Place:
    """Where a recurrent cell is in a model.

    Attributes:
        path: Tuple of the names of the layers around it, and its own.
        layer: The `keras.layers.RNN` that runs it.
        cell: The cell.
        part: What can be replaced: the layer, or the cell of an `RNN`.
    """

    path: tuple
    layer: keras.layers.RNN
    cell: keras.layers.Layer
    part: keras.layers.Layer

    def __str__(self):
        return f"{self.name!r} ({type(self.part).__name__})"

    @property
    def name(self):
        return "/".join(self.path)

    @property
    def is_cell(self):
        return self.part is self.cell

    @property
    def gating(self):
        """The `Variant` of the cell, or `None` if it may compute anything."""
        # Not of a subclass, which may compute anything.
        if type(self.part) in OURS:
            return self.cell.gating
        for name, kinds in _OF_KERAS.items():
            if type(self.part) in kinds:
                return variants.VARIANTS[name]
        return None


def places(model):
    """Returns a list with a `Place` for each recurrent cell in a model."""
    found, seen = [], set()

    def look_into(layer, path):
        if id(layer) in seen:  # shared
            return
        seen.add(id(layer))
        if not isinstance(layer, keras.Layer):  # an operation in a graph
            return
        if not isinstance(layer, keras.layers.RNN):
            for inner in direct(layer):
                look_into(inner, (*path, inner.name))
        elif type(layer) is not keras.layers.RNN:
            found.append(Place(path, layer, layer.cell, layer))
        elif isinstance(layer.cell, keras.layers.StackedRNNCells):
            for cell in layer.cell.cells:
                name = getattr(cell, "name", type(cell).__name__)
                found.append(Place((*path, name), layer, cell, cell))
        else:
            found.append(Place(path, layer, layer.cell, layer.cell))

    look_into(model, ())
    return found


def direct(layer):
    """A list of the layers that a layer holds directly."""
    return layer._flatten_layers(include_self=False, recursive=False)
