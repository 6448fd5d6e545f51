"""Two processes that train together take the steps of one that has the whole batch."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from seqrec.errors import ResourceError
from seqrec.training.artifact import load_artifact
from seqrec.training.distributed import launched_ranks
from unit.training import tiny_run
from unit.training.tiny_run import run, tiny_config

pytestmark = pytest.mark.timeout(900)  # six processes that import torch, on whatever machine


def start_ranks(folder: Path, *assignments: str) -> list[subprocess.Popen]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    together = {
        "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
        "GLOO_SOCKET_IFNAME": "lo",
    }  # fmt: skip
    return [
        subprocess.Popen(
            [sys.executable, tiny_run.__file__, str(folder), *assignments],
            env={**os.environ, **together, "RANK": str(rank)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for rank in range(2)
    ]  # fmt: skip


def ended(ranks: list[subprocess.Popen]) -> list[int]:
    try:
        for rank in ranks:
            print(rank.communicate(timeout=500)[1].decode())
    finally:
        for rank in ranks:
            rank.kill()
            rank.communicate()
    return [rank.returncode for rank in ranks]


@pytest.fixture
def second_on_one_gpu(monkeypatch):
    """This is the second process of torchrun on a machine with one GPU; gives the GPUs it took."""
    taken = []
    for name, value in (("WORLD_SIZE", "2"), ("RANK", "1"), ("LOCAL_RANK", "1")):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "set_device", taken.append)
    monkeypatch.setattr(torch.distributed, "init_process_group", lambda: None)
    monkeypatch.setattr(torch.distributed, "destroy_process_group", lambda: None)
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 1)
    return taken


@pytest.mark.parametrize("device", ["cpu", "cuda:0", "mps"])
def test_rank_whose_device_is_named_takes_no_gpu(second_on_one_gpu, device):
    with launched_ranks(device) as first:
        assert not first
    assert second_on_one_gpu == []


@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_rank_takes_the_gpu_of_its_number(second_on_one_gpu, monkeypatch, device):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with launched_ranks(device):
        assert second_on_one_gpu == [1]


@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_rank_without_a_gpu_of_its_own_is_an_error(second_on_one_gpu, device):
    said = r"process 1 \(LOCAL_RANK\) has no GPU of its own: this machine has 1; .* --device cpu"
    with pytest.raises(ResourceError, match=said), launched_ranks(device):
        pytest.fail("there was no error")
    assert second_on_one_gpu == []


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("alone")
    run(folder, config=tiny_config(save_every_steps=3), dropout=0.0)
    return folder


def assert_close(folder: Path, alone: Path) -> None:
    for part, stem in (("best", "model"), ("last", "model"), ("last", "ema")):
        own, other = (load_artifact(at / part).tensors[stem] for at in (folder, alone))
        for name in other:
            torch.testing.assert_close(own[name], other[name], rtol=0, atol=1e-6)


def test_two_ranks_train_the_weights_of_one_process(tmp_path, alone):
    assert ended(start_ranks(tmp_path, "dropout=0.0", "save_every_steps=3")) == [0, 0]
    assert_close(tmp_path, alone)
    lines = [
        [json.loads(line) for line in (at / "log.jsonl").read_text().splitlines()]
        for at in (tmp_path, alone)
    ]
    for own, other in zip(*lines, strict=True):
        assert own["step"] == other["step"]
        assert own.get("targets") == other.get("targets")
        assert own.get("loss") == pytest.approx(other.get("loss"), abs=1e-6)


def test_signal_to_one_rank_stops_both_and_both_resume(tmp_path, alone):
    ranks = start_ranks(tmp_path, "dropout=0.0", "save_every_steps=3", "pause=0.05")
    assert ranks[1].stdout is not None
    for line in ranks[1].stdout:
        if line.strip() == b"1:1":
            ranks[1].send_signal(signal.SIGTERM)
            break
    assert ended(ranks) == [143, 143]
    assert ended(start_ranks(tmp_path, "dropout=0.0", "save_every_steps=3")) == [0, 0]
    assert_close(tmp_path, alone)
