"""Who watches a run is told about its validations, and may end it."""

from __future__ import annotations

import shutil

import pytest
import torch

from seqrec.errors import CheckpointError, InterruptedRunError, ResourceError
from seqrec.training import load_artifact, save_artifact
from unit.training.tiny_run import TinyStream, run


def test_watcher_is_told_what_the_history_keeps(tmp_path):
    told = []
    _, result = run(tmp_path, watch=told.append)
    assert tuple(told) == result.history
    assert [evaluation.epoch for evaluation in told] == [1, 2, 3]


def test_watcher_that_interrupts_leaves_a_run_to_resume(tmp_path):
    def stop(evaluation):
        raise InterruptedRunError("enough", signal_number=2)

    told = []
    with pytest.raises(InterruptedRunError, match="enough"):
        run(tmp_path / "stopped", watch=stop)
    resumed = run(tmp_path / "stopped", watch=told.append, resume=True)[0].state_dict()
    assert [evaluation.epoch for evaluation in told] == [2, 3]
    unbroken = run(tmp_path / "unbroken")[0].state_dict()
    assert all(map(torch.equal, resumed.values(), unbroken.values()))


@pytest.mark.parametrize("replaced", [False, True])
def test_a_run_whose_folder_is_taken_away_ends_and_names_it(tmp_path, replaced):
    def remove(_evaluation):
        shutil.rmtree(tmp_path / "run")
        if replaced:
            (tmp_path / "run").mkdir()
            (tmp_path / "run/log.jsonl").touch()

    with pytest.raises(ResourceError, match=r"run/log\.jsonl was removed or replaced"):
        run(tmp_path / "run", watch=remove)


def test_a_run_whose_folder_was_taken_leaves_no_best_in_it(tmp_path):
    def take(epoch, step):
        if (epoch, step) == (1, 1):
            shutil.rmtree(tmp_path / "run")
            (tmp_path / "run").mkdir()
            (tmp_path / "run/log.jsonl").touch()

    with pytest.raises(ResourceError, match="was removed or replaced"):
        run(tmp_path / "run", stream=TinyStream([5, 4], at_step=take))
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["log.jsonl"]


def test_weights_that_somebody_else_wrote_as_the_best_are_not_taken_for_the_run_s(tmp_path):
    def write(evaluation):
        if evaluation.epoch == 3:
            best = load_artifact(tmp_path / "run/best")
            other = {**best.documents, "training": {**best.documents["training"], "step": 999}}
            save_artifact(tmp_path / "run/best", best.tensors, other)

    with pytest.raises(CheckpointError, match=r"run/best has the weights of step 999, and .* 14"):
        run(tmp_path / "run", watch=write)
