"""A run that is stopped anywhere and resumed is the run that was never stopped, bit for bit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from seqrec.errors import CheckpointError, InterruptedRunError, ResourceError
from seqrec.training.artifact import load_artifact
from seqrec.training.early_stop import EarlyStop
from seqrec.training.progress import Interval
from seqrec.training.run import TIME_IS_UP, Run
from seqrec.training.state import Evaluation, RunState
from unit.training import tiny_run
from unit.training.tiny_run import TinyStream, run, saved_state, tiny_config

PROGRAM = [sys.executable, tiny_run.__file__]


class Crash(Exception):
    """Stands for whatever ends a process between two steps."""


def crashing_at(epoch: int, step: int) -> TinyStream:
    def at_step(now_epoch: int, now_step: int) -> None:
        if (now_epoch, now_step) == (epoch, step):
            raise Crash

    return TinyStream([5, 4], at_step=at_step)


def signalling_at(epoch: int, step: int, number: int) -> TinyStream:
    def at_step(now_epoch: int, now_step: int) -> None:
        if (now_epoch, now_step) == (epoch, step):
            os.kill(os.getpid(), number)

    return TinyStream([5, 4], at_step=at_step)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory) -> dict:
    folder = tmp_path_factory.mktemp("unbroken")
    run(folder, config=tiny_config(save_every_steps=2))
    return saved_state(folder)


@pytest.mark.parametrize(
    ("epoch", "step"), [(0, 0), (0, 1), (0, 3), (0, 4), (1, 0), (1, 2), (1, 3), (2, 0), (2, 4)]
)
def test_resumed_after_a_crash_equals_unbroken(tmp_path, unbroken, epoch, step):
    with pytest.raises(Crash):
        run(tmp_path, config=tiny_config(save_every_steps=2), stream=crashing_at(epoch, step))
    run(tmp_path, config=tiny_config(save_every_steps=2), resume=True)
    assert saved_state(tmp_path) == unbroken


def test_resumed_twice_within_an_epoch_equals_unbroken(tmp_path, unbroken):
    config = tiny_config(save_every_steps=1)
    for place in ((1, 1), (1, 2), (1, 3)):
        with pytest.raises(Crash):
            run(tmp_path, config=config, stream=crashing_at(*place), resume=True)
    run(tmp_path, config=config, resume=True)
    assert saved_state(tmp_path) == unbroken


@pytest.mark.parametrize("place", [(0, 0), (0, 4), (1, 2), (2, 4)])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.usefixtures("hangups_are_heard")
def test_signal_finishes_the_step_saves_and_resumes(tmp_path, unbroken, place, number):
    with pytest.raises(InterruptedRunError) as caught:
        run(tmp_path, stream=signalling_at(*place, number))
    assert caught.value.exit_code == 128 + number
    run(tmp_path, resume=True)
    assert saved_state(tmp_path) == unbroken


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.usefixtures("hangups_are_heard")
def test_signal_during_validation_stops_it_at_once(tmp_path, unbroken, number):
    def validate(model):
        if not already:
            already.append(True)
            os.kill(os.getpid(), number)
            pytest.fail("validation went on after the signal")
        return tiny_run.validate(model)

    already: list[bool] = []
    with pytest.raises(InterruptedRunError, match=f"stopped by {number.name}; resume"):
        run(tmp_path, validate=validate)
    run(tmp_path, validate=validate, resume=True)
    assert saved_state(tmp_path) == unbroken


def test_second_sigint_stops_at_once_and_keeps_the_last_state(tmp_path):
    def at_step(epoch: int, step: int) -> None:
        if (epoch, step) == (1, 1):
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, stream=TinyStream([5, 4], at_step=at_step))
    assert load_artifact(tmp_path / "last").documents["state"]["step"] == 5


@pytest.mark.usefixtures("hangups_are_heard")
def test_a_hangup_that_is_ignored_stays_ignored(tmp_path, unbroken):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    run(tmp_path, stream=signalling_at(0, 1, signal.SIGHUP))
    assert saved_state(tmp_path) == unbroken


def test_handlers_are_put_back(tmp_path):
    heard = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = [signal.getsignal(number) for number in heard]
    run(tmp_path)
    assert [signal.getsignal(number) for number in heard] == before


@pytest.mark.timeout(900)
def test_killed_process_resumes_to_the_unbroken_weights(tmp_path, unbroken):
    arguments = [str(tmp_path), "save_every_steps=2"]
    with subprocess.Popen([*PROGRAM, *arguments, "pause=0.02"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip() == b"1:3":
                process.kill()
    assert process.returncode == -signal.SIGKILL
    subprocess.run([*PROGRAM, *arguments], check=True, stdout=subprocess.DEVNULL)
    assert saved_state(tmp_path) == unbroken


@pytest.mark.timeout(900)
def test_terminated_process_exits_with_143(tmp_path, unbroken):
    with subprocess.Popen(
        [*PROGRAM, str(tmp_path), "pause=0.02"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stdout:
            if line.strip() == b"0:2":
                process.terminate()
        message = process.stderr.read()
    assert process.returncode == 143
    assert message == b"stopped by SIGTERM; resume to go on\n"
    run(tmp_path, resume=True)
    assert saved_state(tmp_path) == unbroken


def test_finished_run_is_not_trained_again(tmp_path):
    first, result = run(tmp_path)
    again, same = run(tmp_path, stream=TinyStream([5, 4], at_step=pytest.fail), resume=True)
    assert (same.steps, same.best_value, same.history) == (
        result.steps, result.best_value, result.history,
    )  # fmt: skip
    assert all(map(torch.equal, first.state_dict().values(), again.state_dict().values()))


def test_run_in_the_folder_of_another_is_refused(tmp_path):
    run(tmp_path)
    before = saved_state(tmp_path)
    with pytest.raises(ResourceError, match=r"holds a run already: .*--resume.*--overwrite"):
        run(tmp_path)
    assert saved_state(tmp_path) == before


def test_resume_with_another_option_names_it(tmp_path):
    run(tmp_path)
    with pytest.raises(
        CheckpointError, match=r"another run: training\.lr was 0\.05 and is 0\.1\. Resume"
    ):
        run(tmp_path, config=tiny_config(lr=0.1), resume=True)


def test_resume_with_other_data_names_them(tmp_path):
    run(tmp_path, identity={"data": {"fingerprint": "aa"}})
    with pytest.raises(CheckpointError, match=r"data\.fingerprint was 'aa' and is 'bb'"):
        run(tmp_path, identity={"data": {"fingerprint": "bb"}}, resume=True)


def test_resume_with_another_model_lists_the_differences(tmp_path):
    run(tmp_path)
    model = tiny_run.TinyModel()
    model.out = torch.nn.Linear(tiny_run.WIDTH, 3)
    with pytest.raises(CheckpointError, match=r"out\.weight has shape \[12, 4\], not \[3, 4\]"):
        tiny_run.train(
            model, TinyStream([5, 4]), objective=tiny_run.objective, config=tiny_config(),
            folder=tmp_path, resume=True,
        )  # fmt: skip


def test_resume_with_other_threads_warns(tmp_path, caplog):
    with pytest.raises(Crash):
        run(tmp_path, stream=crashing_at(1, 0))
    run(tmp_path, config=tiny_config(threads=2), resume=True)
    assert "threads was 1 and is 2" in caplog.text


def test_resume_with_a_damaged_state_is_refused(tmp_path):
    run(tmp_path)
    with (tmp_path / "last" / "optimizer.safetensors").open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\xff")
    with pytest.raises(CheckpointError, match=r"optimizer\.safetensors is damaged"):
        run(tmp_path, resume=True)


@pytest.mark.parametrize("steps", [[1], [5], [6], [9], [2, 5, 12]])
def test_resumed_after_time_limits_equals_unbroken(tmp_path, unbroken, monkeypatch, steps):
    def is_up(self):
        return TIME_IS_UP if self.state.step in left else 0

    left = list(steps)
    monkeypatch.setattr(Run, "_reason_to_stop", is_up)
    while left:
        _, short = run(tmp_path, resume=True)
        assert (short.status, short.steps) == ("time-limited", left.pop(0))
    _, whole = run(tmp_path, resume=True)
    assert (whole.status, whole.steps) == ("completed", 14)
    assert saved_state(tmp_path) == unbroken


def test_time_limit_neither_validates_nor_uses_up_patience(tmp_path):
    def validate(_model):
        return {"ndcg@10": 0.5}

    _, short = run(tmp_path, config=tiny_config(max_minutes=1e-9, patience=1), validate=validate)
    assert (short.status, short.steps, short.history) == ("time-limited", 1, ())
    _, whole = run(tmp_path, config=tiny_config(patience=1), validate=validate, resume=True)
    assert (whole.status, whole.steps, whole.best_step) == ("early-stopped", 9, 5)


def test_time_limit_leaves_the_best_weights_as_they_were(tmp_path, monkeypatch):
    monkeypatch.setattr(Run, "_reason_to_stop", lambda self: int(self.state.step == 7))
    _, short = run(tmp_path)
    assert (short.status, short.steps, short.best_step) == ("time-limited", 7, 5)
    assert load_artifact(tmp_path / "best").documents["training"]["step"] == 5


def test_time_limit_before_any_validation_keeps_the_weights_that_there_are(tmp_path):
    _, short = run(tmp_path, config=tiny_config(max_minutes=1e-9))
    best, last = (load_artifact(tmp_path / name) for name in ("best", "last"))
    assert torch.equal(best.tensors["model"]["items.weight"], last.tensors["ema"]["items.weight"])
    assert best.documents["training"] == {"step": 1, "monitor": "ndcg@10", "metrics": {}}
    assert (short.best_step, short.best_value) == (1, None)


def test_time_limited_run_without_more_time_takes_no_step(tmp_path):
    limited = tiny_config(max_minutes=1e-9)
    run(tmp_path, config=limited)
    before = saved_state(tmp_path)
    _, again = run(tmp_path, config=limited, resume=True)
    assert (again.status, again.steps, again.finished) == ("time-limited", 1, False)
    assert saved_state(tmp_path) == before


def test_targets_are_counted_over_all_resumptions(tmp_path):
    _, unbroken = run(None)
    run(tmp_path, config=tiny_config(max_minutes=1e-9))
    _, resumed = run(tmp_path, resume=True)
    assert resumed.targets == unbroken.targets > 0


def test_host_state_survives_json():
    state = RunState(
        stop=EarlyStop(monitor="auc", patience=3, best_value=0.5, best_step=4, misses=1),
        epoch=2, step_in_epoch=1, step=9, evaluated=8, seconds=1.5, log_bytes=10,
        interval=Interval(steps=1, targets=2, loss=0.1, norm=0.2),
        history=[Evaluation(step=4, epoch=1, seconds=0.5, metrics={"auc": float("inf")})],
    )  # fmt: skip
    text = json.dumps(state.to_document(), allow_nan=False)
    assert RunState.from_document(json.loads(text), patience=3) == state


def test_document_of_wrong_shape_is_a_checkpoint_error(tmp_path: Path):
    from seqrec.training.artifact import save_artifact

    run(tmp_path)
    saved = load_artifact(tmp_path / "last")
    save_artifact(tmp_path / "last", saved.tensors, {**saved.documents, "state": {"step": "x"}})
    with pytest.raises(CheckpointError, match="does not hold the state of a run"):
        run(tmp_path, resume=True)
