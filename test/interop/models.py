"""The model repository that the tests serve: what lies in it, and how it is laid out for `headrace serve --models`."""
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "test" / "fixtures" / "models"

# y = state + x, the new state is y: [N, 4]. As Triton's users configure implicit state.
ACCUMULATOR = """
max_batch_size: 8
sequence_batching {
  max_sequence_idle_microseconds: 60000000
  state [ { input_name: "state" output_name: "stateN" data_type: TYPE_FP32 dims: [ 4 ] } ]
}
"""
# input [N, 512] -> output [N, 8], 64 floats of state.
GRU = """
max_batch_size: 64
sequence_batching {
  state [ { input_name: "state" output_name: "stateN" data_type: TYPE_FP32 dims: [ 64 ] } ]
}
"""


def add(repository, name, file, config=None, version="1"):
    """Puts a model into a repository, in Triton's layout."""
    folder = repository / name / version
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, folder / "model.onnx")
    if config is not None:
        (repository / name / "config.pbtxt").write_text(config)


def lay_out(repository):
    """All that the tests use. The `pair_*` have no configuration: the server completes it from the model."""
    for file in sorted(FIXTURES.glob("pair_*.onnx")):
        add(repository, file.stem, file)
    add(repository, "accumulator", FIXTURES / "accumulator.onnx", ACCUMULATOR)
    add(repository, "busy", FIXTURES / "busy.onnx")
    add(repository, "gru512", ROOT / "bench" / "models" / "gru512.onnx", GRU)
    add(repository, "two versions", FIXTURES / "pair_fp32.onnx", 'version_policy { all {} }', version="1")
    add(repository, "two versions", FIXTURES / "pair_fp32.onnx", version="3")
