"""Triton's clients behind one face."""
import tritonclient.grpc
import tritonclient.http
from tritonclient.utils import np_to_triton_dtype


class Transport:
    """Triton's client of one transport, "http" or "grpc", with the classes that go with it."""

    def __init__(self, name, client):
        self.name = name
        self.client = client
        self.module = getattr(tritonclient, name)

    def inputs(self, arrays, **options):
        """Named NumPy arrays as the client's inputs. `options` go to `set_data_from_numpy`."""
        made = []
        for name, array in arrays.items():
            datatype = np_to_triton_dtype(array.dtype)
            made.append(self.module.InferInput(name, list(array.shape), datatype))
            made[-1].set_data_from_numpy(array, **options)
        return made

    def infer(self, model, arrays, **options):
        return self.client.infer(model, self.inputs(arrays), **options)

    def ask(self, method, *arguments, **options):
        """What a method of the client answers, as JSON. gRPC's has 64-bit integers as strings."""
        as_json = {} if self.name == "http" else {"as_json": True}
        return getattr(self.client, method)(*arguments, **options, **as_json)
