"""schemathesis makes requests up from /openapi.json, right ones and wrong ones, and compares the answers with it."""
import subprocess
import sys
from pathlib import Path

import models
import pytest
from server import Server

HERE = Path(__file__).parent
PROGRAM = Path(sys.executable).with_name("schemathesis")
# The same requests in each run.
BOUNDS = ["--seed", "20261125", "--max-examples", "25", "--checks", "all", "--generation-deterministic"]


@pytest.fixture
def directory(tmp_path):
    models.add(tmp_path, "pair_fp32", models.FIXTURES / "pair_fp32.onnx")
    models.add(tmp_path, "accumulator", models.FIXTURES / "accumulator.onnx", models.ACCUMULATOR)
    return tmp_path


def shortened(text):
    """A request of many numbers is a line of many."""
    return "\n".join(line if len(line) < 500 else f"{line[:250]} … {line[-250:]}" for line in text.splitlines())


def find_nothing(*arguments):
    with Server(*arguments, grpc=False) as server:
        command = [PROGRAM, "--config-file", HERE / "schemathesis.toml", "run", f"{server.url}/openapi.json"]
        run = subprocess.run([*command, *BOUNDS, "--no-color"], capture_output=True, text=True, cwd=HERE)
        assert run.returncode == 0, shortened(run.stdout + run.stderr)
        assert server.process.poll() is None


@pytest.mark.timeout(300)
@pytest.mark.parametrize("module", [HERE / "counter.mjs", models.ROOT / "examples" / "vad" / "vad.mjs"], ids=lambda p: p.stem)
def test_a_pipeline(module):
    find_nothing(module)


@pytest.mark.timeout(300)
def test_a_repository(directory):
    find_nothing("--models", directory)
