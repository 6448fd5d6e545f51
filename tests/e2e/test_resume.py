"""The real models, stopped in the middle of an epoch and resumed, end as if never stopped."""

from __future__ import annotations

import os
import signal

import pytest

from seqrec.batches import BatchStream
from seqrec.errors import CheckpointError, InterruptedRunError
from seqrec.experiment import fit
from seqrec.training import load_artifact


@pytest.fixture
def terminated(monkeypatch):
    """The second epoch gets SIGTERM before its third step; the next call of it does not."""
    epoch_of = BatchStream.epoch
    sent = []

    def epoch(self, epoch, first_step=0):
        for step, batch in enumerate(epoch_of(self, epoch, first_step), first_step):
            if (epoch, step) == (1, 2) and not sent:
                sent.append(step)
                os.kill(os.getpid(), signal.SIGTERM)
            yield batch

    monkeypatch.setattr(BatchStream, "epoch", epoch)


@pytest.mark.parametrize("task", ["next_item", "relevance"])
@pytest.mark.parametrize("model", ["lstm", "bert4rec"])
def test_resumed_run_has_the_bytes_of_the_unbroken(tmp_path, split, quick, model, task, request):
    config = quick(model)
    config["training"] = {**config["training"], "threads": 1, "log_every": 3}
    fit(model, split, task=task, config=config, folder=tmp_path / "unbroken")
    request.getfixturevalue("terminated")
    with pytest.raises(InterruptedRunError):
        fit(model, split, task=task, config=config, folder=tmp_path / "broken")
    fit(model, split, task=task, config=config, folder=tmp_path / "broken", resume=True)
    assert_same(tmp_path / "unbroken", tmp_path / "broken")


def test_a_run_is_resumed_with_its_own_options(tmp_path, split, quick, request):
    config = quick("bert4rec")
    config["training"] = {**config["training"], "log_every": 3, "seed": 8}
    config["windows"] = {"max_seq_len": 7}
    begun = {"task": "relevance", "config": config}
    fit("bert4rec", split, **begun, folder=tmp_path / "unbroken")
    request.getfixturevalue("terminated")
    with pytest.raises(InterruptedRunError):
        fit("bert4rec", split, **begun, folder=tmp_path / "broken")
    with pytest.raises(CheckpointError, match=r"training\.seed was 8 and is 9"):
        fit("bert4rec", split, seed=9, folder=tmp_path / "broken", resume=True)
    run = fit("bert4rec", split, folder=tmp_path / "broken", resume=True)
    assert (run.config.task, run.origins["training.seed"]) == ("relevance", f"run {run.folder}")
    assert_same(tmp_path / "unbroken", tmp_path / "broken")
    assert repr(run) == (
        f"Run(bert4rec on relevance, {split.dataset.n_items} items, completed, {run.folder})"
    )


def assert_same(unbroken, broken):
    """All tensors of both parts have the same bytes."""
    for part in ("best", "last"):
        whole, resumed = (load_artifact(run / part) for run in (unbroken, broken))
        for stem, named in whole.tensors.items():
            for name, tensor in named.items():
                other = resumed.tensors[stem][name]
                assert other.numpy().tobytes() == tensor.numpy().tobytes(), f"{stem}/{name}"
