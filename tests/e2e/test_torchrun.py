"""`torchrun ... seqrec train`: two processes train the model that one would have trained."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import torch

from seqrec.training import load_artifact

SEQREC = Path(sysconfig.get_path("scripts")) / "seqrec"
RANKS = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
         "--no-python"]  # fmt: skip
OPTIONS = [
    "--model", "lstm", "--task", "next_item", "--epochs", "1", "--device", "cpu", "--threads", "1",
    "--set", "lstm.dropout=0.0", "--set", "lstm.output_dropout=0.0",
    "--set", "lstm.embedding_dim=16", "--set", "lstm.hidden_size=24",
    "--set", "windows.max_seq_len=20", "--set", "training.ema=0.0",
    "--set", "training.precision=fp32",
]  # fmt: skip


def train(data: Path, out: Path, *launcher: str) -> str:
    environment = {**os.environ, "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    command = [*launcher, str(SEQREC), "train", str(data), "--out", str(out), *OPTIONS]
    ended = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.timeout(900)
def test_two_ranks_train_the_model_of_one_process(dataset, tmp_path):
    dataset.save(tmp_path / "data")
    alone = train(tmp_path / "data", tmp_path / "alone")
    together = train(tmp_path / "data", tmp_path / "together", *RANKS)
    assert together.count("ndcg@10") == alone.count("ndcg@10") == 1  # rank 0 alone prints
    weights = [
        load_artifact(tmp_path / name / "best").tensors["model"] for name in ("alone", "together")
    ]
    assert weights[0].keys() == weights[1].keys()
    for name, expected in weights[0].items():
        torch.testing.assert_close(weights[1][name], expected, rtol=1e-3, atol=1e-4)
