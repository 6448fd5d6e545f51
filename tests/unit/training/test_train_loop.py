"""What a run does besides resuming: best weights, stops, its log, and the generators around it."""

from __future__ import annotations

import json
import math
import os
import signal
import sys
import types

import pytest
import torch

from seqrec.errors import ConfigError, DivergenceError, InterruptedRunError, ResourceError
from seqrec.training.artifact import Artifact, load_artifact
from unit.training import tiny_run
from unit.training.tiny_run import TinyStream, run, tiny_config, tiny_model


def log_lines(folder, kind):
    lines = map(json.loads, (folder / "log.jsonl").read_text().splitlines())
    return [line for line in lines if line["kind"] == kind]


def measuring(values):
    left = list(values)
    return lambda _model: {"ndcg@10": left.pop(0)}


def test_loss_falls():
    _, result = run(None, config=tiny_config(epochs=12))
    assert result.history[-1].metrics["logloss"] < 0.8 * result.history[0].metrics["logloss"]


def test_same_run_twice_has_the_same_weights():
    first, second = (run(None)[0].state_dict() for _ in range(2))
    assert all(map(torch.equal, first.values(), second.values()))


def test_run_without_a_folder_equals_one_with(tmp_path):
    first, second = run(None)[0].state_dict(), run(tmp_path)[0].state_dict()
    assert all(map(torch.equal, first.values(), second.values()))


def test_callers_generator_is_left_alone(tmp_path):
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    run(tmp_path)
    assert torch.equal(torch.rand(3), expected)


def test_callers_generator_does_not_reach_the_run():
    torch.manual_seed(1)
    first = run(None)[0].state_dict()
    torch.manual_seed(2)
    assert all(map(torch.equal, first.values(), run(None)[0].state_dict().values()))


def test_validation_cannot_move_the_weights():
    options = {"ema": 0.0, "monitor": "logloss"}
    quiet = tiny_config(**options, eval_every=3)
    first = run(None, config=quiet, stream=TinyStream([4]), validate=None)[0].state_dict()
    often = tiny_config(**options, eval_every=1)
    second = run(None, config=often, stream=TinyStream([4]), validate=rising)[0].state_dict()
    assert all(map(torch.equal, first.values(), second.values()))


def rising(model):
    """Draws, and finds each model better than the one before."""
    torch.rand(5)
    rising.calls = getattr(rising, "calls", 0) + 1
    return {"logloss": 1.0 / rising.calls}


def test_model_ends_with_the_best_weights(tmp_path):
    seen = []

    def validate(model):
        seen.append({name: t.clone() for name, t in model.state_dict().items()})
        return {"ndcg@10": [0.1, 0.3, 0.2][len(seen) - 1]}

    model, result = run(tmp_path, validate=validate)
    assert (result.best_step, result.best_value) == (9, 0.3)
    assert all(map(torch.equal, model.state_dict().values(), seen[1].values()))
    saved = load_artifact(tmp_path / "best")
    assert all(torch.equal(saved.tensors["model"][name], seen[1][name]) for name in seen[1])
    assert not model.training


def test_validation_sees_the_averaged_weights_in_eval_mode(tmp_path):
    def validate(model):
        assert not model.training
        assert not torch.is_grad_enabled()
        weights.append(model.items.weight.detach().clone())
        return {"ndcg@10": 0.5}

    weights: list[torch.Tensor] = []
    run(tmp_path, validate=validate)
    average = load_artifact(tmp_path / "last").tensors["ema"]["items.weight"]
    assert torch.equal(weights[-1], average)


def test_best_artifact_holds_what_the_caller_adds(tmp_path):
    keep = Artifact(tensors={"vocabulary": {"ids": torch.arange(3)}}, documents={"model": {"d": 4}})
    run(tmp_path, keep=keep)
    saved = load_artifact(tmp_path / "best")
    assert saved.tensors["vocabulary"]["ids"].tolist() == [0, 1, 2]
    assert saved.documents["model"] == {"d": 4}
    assert saved.documents["training"]["monitor"] == "ndcg@10"


def test_run_stops_when_patience_is_spent(tmp_path):
    _, result = run(
        tmp_path, config=tiny_config(epochs=9, patience=2), validate=measuring([0.3, 0.2, 0.1])
    )
    assert (result.status, len(result.history), result.best_step) == ("early-stopped", 3, 5)


def test_validation_comes_every_few_epochs_and_at_the_end():
    _, result = run(None, config=tiny_config(epochs=5, eval_every=2), stream=TinyStream([2]))
    assert [(e.epoch, e.step) for e in result.history] == [(2, 4), (4, 8), (5, 10)]


def test_steps_may_differ_by_epoch():
    _, result = run(None, stream=TinyStream([1, 3]))
    assert [e.step for e in result.history] == [1, 4, 5]


def test_no_epochs_save_the_initial_model(tmp_path):
    config = tiny_config(epochs=0)
    _, result = run(tmp_path, config=config)
    initial = tiny_model(config).state_dict()
    for part in ("best", "last"):
        saved = load_artifact(tmp_path / part).tensors["model"]
        assert all(torch.equal(saved[name], initial[name]) for name in initial)
    assert (result.status, result.steps, result.best_step) == ("completed", 0, 0)


def test_rate_of_zero_keeps_the_initial_weights(tmp_path):
    config = tiny_config(lr=0.0)
    model, _ = run(tmp_path, config=config)
    initial = tiny_model(config).state_dict()
    assert all(map(torch.equal, model.state_dict().values(), initial.values()))


def test_run_without_validation_keeps_the_last_weights(tmp_path):
    model, result = run(tmp_path, validate=None)
    assert (result.best_value, result.best_step, result.history) == (None, 14, ())
    average = load_artifact(tmp_path / "last").tensors["ema"]
    assert torch.equal(model.items.weight, average["items.weight"])


def test_run_stops_after_so_many_steps(tmp_path):
    _, result = run(tmp_path, config=tiny_config(max_steps=7))
    assert (result.status, result.steps) == ("completed", 7)
    assert [e.step for e in result.history] == [5, 7]


def test_time_limit_is_marked(tmp_path):
    _, result = run(tmp_path, config=tiny_config(max_minutes=1e-9))
    assert result.status == "time-limited"
    assert load_artifact(tmp_path / "last").documents["state"]["status"] == "time-limited"


def exploding(after):
    def objective(model, batch):
        loss = tiny_run.objective(model, batch)
        calls.append(batch)
        return loss._replace(value=loss.value * math.nan) if len(calls) > after else loss

    calls: list = []
    return objective


@pytest.mark.parametrize("log_every", [1, 3, 50])
def test_loss_that_is_not_finite_names_step_and_epoch_and_keeps_the_best(tmp_path, log_every):
    config = tiny_config(log_every=log_every)
    with pytest.raises(DivergenceError, match=r"loss is not finite at step 7 \(epoch 2\)"):
        run(tmp_path, config=config, objective=exploding(after=6))
    for part in ("best", "last"):
        saved = load_artifact(tmp_path / part)
        assert all(torch.isfinite(t).all() for t in saved.tensors["model"].values())
    assert load_artifact(tmp_path / "best").documents["training"]["step"] == 5


def test_gradient_that_is_not_finite_is_named(tmp_path):
    def objective(model, batch):
        loss = tiny_run.objective(model, batch)
        zero = (model.out.bias * 0).sum()  # sqrt(0) = 0 has an infinite slope
        return loss._replace(value=loss.value + torch.sqrt(zero))

    with pytest.raises(DivergenceError, match="gradient is not finite at step 1"):
        run(tmp_path, objective=objective)


def test_metric_nan_never_becomes_the_best(tmp_path):
    _, result = run(tmp_path, validate=measuring([math.nan, 0.2, math.nan]))
    assert (result.best_step, result.best_value) == (9, 0.2)
    assert [line["ndcg@10"] for line in log_lines(tmp_path, "validation")] == [None, 0.2, None]


def test_metric_that_is_always_nan_leaves_the_last_weights(tmp_path, caplog):
    _, result = run(tmp_path, validate=measuring([math.nan] * 3))
    assert (result.best_step, result.best_value) == (14, None)
    assert "ndcg@10 was never a number" in caplog.text


def test_monitor_that_is_not_measured_is_named(tmp_path):
    with pytest.raises(
        ConfigError, match=r"`training\.monitor` is 'auc': validation measures logloss, ndcg"
    ):
        run(tmp_path, config=tiny_config(monitor="auc"))


def test_half_precision_keeps_the_weights_in_full(tmp_path):
    def objective(model, batch):
        assert torch.is_autocast_enabled("cpu")
        vectors, (weight, bias) = model.items(batch.inputs), (model.out.weight, model.out.bias)
        now = torch.nn.functional.linear(*(t.bfloat16() for t in (vectors, weight, bias)))
        assert torch.equal(model.out(vectors), now)  # bfloat16, of the weights of this step
        return tiny_run.objective(model, batch)

    def validate(model):
        assert not torch.is_autocast_enabled("cpu")
        return tiny_run.validate(model)

    model, _ = run(
        tmp_path, config=tiny_config(precision="bf16"), objective=objective, validate=validate
    )
    assert model.items.weight.dtype == torch.float32


def test_gradient_is_clipped_to_the_norm():
    def objective(model, batch):
        loss = tiny_run.objective(model, batch)
        return loss._replace(value=loss.value * 1e4)

    # AdamW hardly feels the scale; the epsilon does: a clip of 1e-9 stops it.
    config = tiny_config(clip=1e-12, ema=0.0, weight_decay=0.0)
    model, _ = run(None, config=config, objective=objective)
    initial = tiny_model(config)
    assert torch.allclose(model.items.weight, initial.items.weight, atol=1e-3)


def test_log_has_a_line_for_each_interval_and_each_validation(tmp_path):
    run(tmp_path)
    lines = log_lines(tmp_path, "train")
    assert [(line["epoch"], line["step"]) for line in lines] == [
        (1, 2), (1, 4), (1, 5), (2, 6), (2, 8), (2, 9), (3, 10), (3, 12), (3, 14),
    ]  # fmt: skip
    # Steps have 7 targets, but the last of an epoch has one.
    assert [line["targets"] for line in lines[:3]] == [14, 14, 1]
    assert [line["step"] for line in log_lines(tmp_path, "validation")] == [5, 9, 14]


def test_logged_loss_is_the_mean_over_targets(tmp_path):
    losses = []

    def objective(model, batch):
        loss = tiny_run.objective(model, batch)
        losses.append((loss.value.item(), loss.targets))
        return loss

    run(tmp_path, config=tiny_config(epochs=1, log_every=50), objective=objective)
    mean = sum(loss * n for loss, n in losses) / sum(n for _, n in losses)
    assert log_lines(tmp_path, "train")[0]["loss"] == pytest.approx(mean, rel=1e-6)


def test_logged_rate_is_the_one_of_the_step(tmp_path):
    run(tmp_path, config=tiny_config(schedule="constant", lr=0.3, log_every=1))
    rates = [line["lr"] for line in log_lines(tmp_path, "train")]
    assert rates[:4] == pytest.approx([0.1, 0.2, 0.3, 0.3])


def test_bar_is_silent_away_from_a_terminal(tmp_path, capfd):
    run(tmp_path)
    assert capfd.readouterr() == ("", "")


def test_bar_shows_epoch_loss_pace_and_waiting(tmp_path, capfd):
    run(tmp_path, config=tiny_config(progress=True))
    shown = capfd.readouterr().err
    for part in ("epoch 3", "loss ", "targets/s", "data-wait", "14/14"):
        assert part in shown


def test_tensorboard_that_is_not_installed_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ConfigError, match=r"pip install 'seqrec\[tensorboard\]'"):
        run(tmp_path, config=tiny_config(tensorboard=True))


def test_tensorboard_gets_the_lines_of_the_log(tmp_path, monkeypatch):
    class Writer:
        def __init__(self, folder, purge_step):
            scalars.append((folder, purge_step))

        def add_scalar(self, name, value, step):
            scalars.append((name, value, step))

        def close(self):
            scalars.append("closed")

    scalars: list = []
    module = types.ModuleType("tensorboard")
    module.SummaryWriter = Writer  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    run(tmp_path, config=tiny_config(tensorboard=True), validate=measuring([0.1, 0.2, 0.3]))
    assert scalars[0] == (str(tmp_path / "tensorboard"), 0)
    assert ("validation/ndcg@10", 0.2, 9) in scalars
    assert scalars[-1] == "closed"


def test_full_disk_under_the_log_is_a_resource_error(tmp_path):
    (tmp_path / "log.jsonl").symlink_to("/dev/full")
    with pytest.raises(ResourceError, match=r"log\.jsonl: No space left on device"):
        run(tmp_path)


def test_two_runs_in_one_folder_name_the_first(tmp_path):
    def at_step(_epoch, _step):
        with pytest.raises(ResourceError, match=f"in use by the run of process {os.getpid()}"):
            run(tmp_path)

    run(tmp_path, config=tiny_config(epochs=1), stream=TinyStream([1], at_step=at_step))


def test_leftovers_of_killed_writers_are_removed(tmp_path):
    (tmp_path / ".last.new-1-abc").mkdir()
    run(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".lock",
        "best",
        "last",
        "log.jsonl",
    ]


def test_stream_is_closed_when_the_run_is_stopped(tmp_path):
    class Watched(TinyStream):
        closed = False

        def epoch(self, epoch, first_step=0):
            try:
                yield from super().epoch(epoch, first_step)
            finally:
                self.closed = True

    stream = Watched([5], at_step=lambda _e, s: os.kill(os.getpid(), signal.SIGTERM) if s == 2 else None)  # fmt: skip  # noqa: E501
    with pytest.raises(InterruptedRunError):
        run(tmp_path, stream=stream)
    assert stream.closed


def test_early_stop_goes_on_counting_after_a_resume(tmp_path):
    config = tiny_config(epochs=9, patience=3)
    values = [0.5, 0.4, 0.3, 0.2, 0.1]

    def at_step(epoch, step):
        if (epoch, step) == (2, 1):
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(InterruptedRunError):
        run(
            tmp_path, config=config, validate=measuring(values[:2]),
            stream=TinyStream([5, 4], at_step=at_step),
        )  # fmt: skip
    _, result = run(tmp_path, config=config, validate=measuring(values[2:]), resume=True)
    assert (result.status, len(result.history), result.best_step) == ("early-stopped", 4, 5)


def test_overwriting_begins_anew_and_keeps_what_is_not_the_runs(tmp_path):
    run(tmp_path, config=tiny_config(lr=0.5))
    (tmp_path / "ledger.jsonl").write_text("read once")
    _, result = run(tmp_path, overwrite=True)
    assert result.steps == 14
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 9 + len(result.history)
    assert (tmp_path / "ledger.jsonl").read_text() == "read once"


def test_overwriting_never_deletes_a_strangers_file(tmp_path):
    (tmp_path / "last").mkdir()
    (tmp_path / "last" / "thesis.tex").write_text("years")
    with pytest.raises(ResourceError, match=r"holds 'thesis\.tex'"):
        run(tmp_path, overwrite=True)
    assert (tmp_path / "last" / "thesis.tex").exists()


def test_resume_and_overwrite_contradict_each_other(tmp_path):
    with pytest.raises(ConfigError, match="not both"):
        run(tmp_path, resume=True, overwrite=True)


@pytest.mark.parametrize("option", ["resume", "overwrite"])
def test_going_on_needs_a_folder(option):
    with pytest.raises(ConfigError, match="need the folder of a run"):
        run(None, **{option: True})
