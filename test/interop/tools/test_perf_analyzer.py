"""Triton's load generator: sweeps over concurrency and request rate, both transports, with and without sequences.

Its own reports stay in build/interop/perf_analyzer, one for each sweep.
"""
import csv
import os
import subprocess

import pytest
from models import ROOT

HOME = ROOT / "build" / "interop"
REPORTS = HOME / "perf_analyzer"
PROGRAM = HOME / "perf-analyzer" / "bin" / "perf_analyzer"
ENVIRONMENT = {**os.environ, "LD_LIBRARY_PATH": str(HOME / "perf-analyzer" / "nvidia" / "cuda_runtime" / "lib")}

SWEEPS = {
    "concurrency": ["--concurrency-range", "1:4:3"],
    "request-rate": ["--request-rate-range", "100:200:100"],
}
MODELS = {
    "stateless": ["-m", "pair_fp32"],
    "sequences": ["-m", "gru512", "--sequence-length", "10", "--sequence-id-range", "1:1000000"],
}
# Windows are short, and any three will do: whether the figures are stable is not what is tested.
BRIEFLY = ["--measurement-interval", "400", "--stability-percentage", "999", "--max-trials", "5"]


def analyze(server, protocol, *arguments):
    """Runs it to its end; what it reported, one row for each load level."""
    name = "_".join(str(argument).strip("-").replace(":", "-") for argument in arguments if argument not in BRIEFLY)
    report = REPORTS / f"{protocol}_{name}.csv"
    report.parent.mkdir(parents=True, exist_ok=True)
    command = [PROGRAM, "-u", getattr(server, protocol), "-i", protocol, "-f", report, *arguments, *BRIEFLY]
    run = subprocess.run(command, capture_output=True, text=True, timeout=100, env=ENVIRONMENT, cwd=report.parent)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Failed" not in run.stdout + run.stderr, run.stdout + run.stderr
    with report.open() as lines:
        rows = list(csv.DictReader(lines))
    assert rows, run.stdout
    assert all(float(row["Inferences/Second"]) > 0 for row in rows)
    return rows


@pytest.mark.parametrize("protocol", ["http", "grpc"])
@pytest.mark.parametrize("sweep", SWEEPS)
@pytest.mark.parametrize("model", MODELS)
def test_sweep(server, protocol, sweep, model):
    rows = analyze(server, protocol, *MODELS[model], *SWEEPS[sweep])
    assert len(rows) == 2


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_batches(server, protocol):
    analyze(server, protocol, "-m", "pair_fp32", "-b", "8", "--concurrency-range", "2")


def test_streaming(server):
    analyze(server, "grpc", *MODELS["sequences"], "--streaming", "--async", "--concurrency-range", "4")


def test_several_sequences_at_a_rate(server):
    rate = ["--request-rate-range", "200", "--num-of-sequences", "8"]
    analyze(server, "http", *MODELS["sequences"], *rate)


def test_string_tensors(server):
    analyze(server, "http", "-m", "pair_bytes", "--string-length", "16", "--concurrency-range", "2")
