"""What a caller has set in torch changes no number of ours, and is there again afterwards."""

from __future__ import annotations

import threading
from contextlib import contextmanager, nullcontext

import numpy as np
import pytest
import torch

import seqrec as sr
import tiny_data
from seqrec.batches import BatchStream, NextItemRows
from seqrec.errors import CheckpointError, DataError
from seqrec.experiment.fit import build_model
from seqrec.experiment.scorer import _inference

CELLS = [(model, task) for model in ("lstm", "bert4rec") for task in ("next_item", "relevance")]


@contextmanager
def default_dtype(dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


MODES = {
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "float64": lambda: default_dtype(torch.float64),
    "bfloat16": lambda: default_dtype(torch.bfloat16),
    "another device": lambda: torch.device("meta"),
}


def trained(split, model="lstm", task="next_item"):
    return sr.fit(model, split, task=task, config=tiny_data.tiny(model))


def same_weights(one, other):
    mine, theirs = one.model.state_dict(), other.model.state_dict()
    return all(torch.equal(mine[name], theirs[name]) for name in mine)


@pytest.fixture(scope="module")
def plain(split):
    return {cell: trained(split, *cell) for cell in CELLS}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("cell", CELLS)
def test_training_is_the_same_in_every_mode_of_a_caller(cell, mode, split, plain, tmp_path):
    with MODES[mode]():
        run = trained(split, *cell)
        run.save(tmp_path / "model")
        loaded = sr.load(tmp_path / "model", device="cpu")
        found = loaded.recommend(sequences=[[0, 1]], k=3)
    assert {p.dtype for p in run.model.parameters()} == {torch.float32}
    assert same_weights(run, plain[cell])
    assert same_weights(sr.load(tmp_path / "model"), plain[cell])
    assert found.equals(plain[cell].recommend(sequences=[[0, 1]], k=3))


@pytest.mark.parametrize("mode", MODES)
def test_a_model_that_was_loaded_in_a_mode_can_be_trained_on(mode, plain, tmp_path):
    plain["lstm", "next_item"].save(tmp_path / "model")
    with MODES[mode]():
        model = sr.load(tmp_path / "model", device="cpu").model
    model.train()
    model(torch.tensor([[1, 2]])).sum().backward()
    assert model.items.weight.grad.abs().sum() > 0


def test_a_mode_is_as_it_was_after_training(split):
    with default_dtype(torch.float64), torch.autocast("cpu", dtype=torch.bfloat16), torch.no_grad():
        trained(split)
        assert torch.get_default_dtype() == torch.float64
        assert torch.is_autocast_enabled("cpu")
        assert not torch.is_grad_enabled()


@pytest.mark.parametrize("caller", [nullcontext, MODES["autocast"]])
@pytest.mark.parametrize("cell", CELLS)
def test_half_precision_learns_what_full_precision_learns(cell, caller, split):
    model, task = cell
    config = tiny_data.tiny(model)
    config["training"] |= {"epochs": 12, "lr": 0.003, "eval_every": 12}  # ends, not bests
    full = sr.fit(model, split, task=task, config=config)
    config["training"]["precision"] = "bf16"
    with caller():
        half = sr.fit(model, split, task=task, config=config)
    ends = [torch.nn.utils.parameters_to_vector(run.model.parameters()) for run in (full, half)]
    start = torch.nn.utils.parameters_to_vector(build_model(full.config, split).parameters())
    assert (ends[1] - ends[0]).norm() < 0.15 * (ends[0] - start).norm()


def test_batches_that_were_read_without_gradients_can_be_trained_on(split):
    stream = BatchStream(NextItemRows(split.train), 8, 0, device="cpu", prefetch=False)
    with torch.inference_mode():
        next(stream.epoch(0))
    batch = next(stream.epoch(1))
    factor = torch.ones((), requires_grad=True)
    (batch.inputs * factor).sum().backward()
    assert factor.grad == batch.inputs.sum()


def test_a_model_is_in_eval_mode_until_the_last_thread_has_its_scores(plain):
    model = plain["lstm", "next_item"].model
    model.train()
    try:
        first_may_leave, second_is_in = threading.Event(), threading.Event()

        def first():
            with _inference(model):
                second_is_in.wait(10)
            first_may_leave.set()

        thread = threading.Thread(target=first)
        thread.start()
        while model.training:
            pass
        with _inference(model):
            second_is_in.set()
            first_may_leave.wait(10)
            assert not model.training
        thread.join()
        assert model.training
    finally:
        model.eval()


def test_weights_of_another_type_are_not_saved(split, tmp_path):
    run = trained(split)
    run.model.bfloat16()
    with pytest.raises(CheckpointError, match=r"is torch.bfloat16: .* call model.float\(\)"):
        run.save(tmp_path / "model")
    run.model.float()
    run.save(tmp_path / "model")
    assert same_weights(sr.load(tmp_path / "model"), run)


def test_a_trained_model_keeps_no_gradients(plain):
    assert all(p.grad is None for run in plain.values() for p in run.model.parameters())


@pytest.mark.parametrize("task", ["next_item", "relevance"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_score_that_is_not_finite_is_refused_by_the_raw_ids(split, task, value):
    run = trained(split, task=task)
    items = run.item_ids.decode(np.array([0, 4]))
    with torch.no_grad():
        run.model.items.bias[4] = value
    said = f"gives item {items[1]} a score of (nan|inf) and a probability of .* for 0: "
    with pytest.raises(DataError, match=said):
        run.predict_proba([[items[1]]], sequences=[[items[0]]])
