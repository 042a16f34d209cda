"""The stateful GRU as people write it in Python: onnxruntime on one thread, and the streams' states in a dict.

The servers of this folder differ in their framework alone; the model's part is here, once, for all of them.
"""

import numpy as np
import onnxruntime

INITIAL_STATE = np.zeros(64, dtype=np.float32)


class Gru:
    """gru512.onnx: 512 floats in, 8 out, and 64 of recurrent state kept for each stream."""

    def __init__(self, model: str) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # the servers have one core
        options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.states = {}

    def step(self, streams: list, rows: list) -> np.ndarray:
        """One step of each of these streams, in one run. A stream may be in it once: its client waits for its answer."""
        inputs = rows[0].reshape(1, 512) if len(rows) == 1 else np.stack(rows)
        states = np.stack([self.states.get(stream, INITIAL_STATE) for stream in streams])
        outputs, states = self.session.run(("output", "stateN"), {"input": inputs, "state": states})
        for stream, state in zip(streams, states):
            self.states[stream] = state
        return outputs
