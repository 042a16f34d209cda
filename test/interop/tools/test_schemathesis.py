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
    directory = tmp_path / "models"
    models.add(directory, "pair_fp32", models.FIXTURES / "pair_fp32.onnx")
    models.add(directory, "accumulator", models.FIXTURES / "accumulator.onnx", models.ACCUMULATOR)
    return directory


def shortened(text):
    """A request of many numbers is a line of many."""
    return "\n".join(line if len(line) < 500 else f"{line[:250]} … {line[-250:]}" for line in text.splitlines())


def find_nothing(tmp_path, config, *arguments):
    with Server(*arguments, grpc=False) as server:
        command = [PROGRAM, "--config-file", HERE / config, "run", f"{server.url}/openapi.json"]
        run = subprocess.run([*command, *BOUNDS, "--no-color"], capture_output=True, text=True, cwd=tmp_path)
        assert run.returncode == 0, shortened(run.stdout + run.stderr)
        assert server.process.poll() is None


@pytest.mark.timeout(300)
def test_a_pipeline_of_plain_values(tmp_path):
    find_nothing(tmp_path, "schemathesis.toml", HERE / "counter.mjs")


@pytest.mark.timeout(300)
def test_a_model(tmp_path):
    find_nothing(tmp_path, "schemathesis-batched.toml", models.ROOT / "examples" / "vad" / "vad.mjs")


@pytest.mark.timeout(300)
def test_a_repository(tmp_path, directory):
    find_nothing(tmp_path, "schemathesis-batched.toml", "--models", directory)
