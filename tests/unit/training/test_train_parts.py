"""The small parts of training: early stop, schedule, average, optimiser, devices, locks."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from seqrec.errors import ConfigError, ResourceError
from seqrec.training import lock, precision
from seqrec.training.config import FREE_ON_RESUME, TrainConfig
from seqrec.training.device import (
    choose_device,
    preserved,
    seeded,
    thread_limit,
)
from seqrec.training.early_stop import EarlyStop, larger_is_better
from seqrec.training.ema import Ema
from seqrec.training.lock import locked
from seqrec.training.optimizer import adamw
from seqrec.training.precision import bf16_speed, full_precision, gradients, has_bf16
from seqrec.training.progress import stage
from seqrec.training.schedule import Schedule


@pytest.mark.parametrize("metric", ["ndcg@10", "hit@10", "accuracy", "auc", "mrr@5", "recall@20"])
def test_more_of_a_ranking_metric_is_better(metric):
    assert larger_is_better(metric)


def test_less_logloss_is_better():
    assert not larger_is_better("logloss")


def test_metric_without_a_direction_is_refused():
    with pytest.raises(ConfigError, match=r"`training\.monitor` is 'speed'"):
        larger_is_better("speed")


def test_best_is_the_first_of_equals():
    stop = EarlyStop(monitor="auc", patience=None)
    assert [stop.update(value, step) for step, value in enumerate((0.5, 0.7, 0.7, 0.6))] == [
        True, True, False, False,
    ]  # fmt: skip
    assert (stop.best_value, stop.best_step, stop.misses) == (0.7, 1, 2)


def test_smallest_logloss_is_the_best():
    stop = EarlyStop(monitor="logloss", patience=None)
    assert [stop.update(value, 0) for value in (0.5, 0.7, 0.4)] == [True, False, True]


def test_patience_counts_validations_in_a_row():
    stop = EarlyStop(monitor="auc", patience=2)
    seen = []
    for step, value in enumerate((0.5, 0.4, 0.6, 0.5, 0.5)):
        stop.update(value, step)
        seen.append(stop.exhausted)
    assert seen == [False, False, False, False, True]


def test_nan_is_never_the_best_and_poisons_nothing():
    stop = EarlyStop(monitor="auc", patience=None)
    assert not stop.update(math.nan, 0)
    assert stop.update(0.1, 1)
    assert not stop.update(math.nan, 2)
    assert stop.best_value == 0.1


def test_warm_up_is_linear_and_reaches_the_peak():
    schedule = Schedule(lr=1.0, warmup_steps=3, total_steps=10, kind="constant")
    assert [schedule.rate(step) for step in range(6)] == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]


def test_cosine_falls_from_the_peak_to_zero():
    schedule = Schedule(lr=2.0, warmup_steps=2, total_steps=6, kind="cosine")
    rates = [schedule.rate(step) for step in range(2, 8)]
    half = math.cos(math.pi / 4)
    assert rates == pytest.approx([2.0, 1 + half, 1.0, 1 - half, 0.0, 0.0])


def test_warm_up_longer_than_the_run_is_allowed():
    schedule = Schedule(lr=1.0, warmup_steps=9, total_steps=2, kind="cosine")
    assert schedule.rate(1) == pytest.approx(0.2)


def test_average_follows_its_formula():
    model = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(0.0)
    ema = Ema(model, decay=0.5)
    expected = 0.0
    for step in range(1, 30):
        with torch.no_grad():
            model.weight.fill_(float(step))
        ema.update(step)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * step
    assert ema.tensors()["weight"].item() == pytest.approx(expected, rel=1e-6)


def test_model_has_the_average_within_and_its_own_weights_after():
    model = nn.Linear(2, 2)
    ema = Ema(model, decay=0.9)
    average = model.weight.detach().clone()
    with torch.no_grad():
        model.weight.add_(1.0)
    own, place = model.weight.detach().clone(), model.weight.data_ptr()
    with ema.applied():
        assert torch.equal(model.weight, average)
    assert torch.equal(model.weight, own)
    assert model.weight.data_ptr() == place


def test_vectors_and_named_matrices_are_not_decayed():
    model = nn.Sequential(nn.Embedding(3, 2), nn.LayerNorm(2), nn.Linear(2, 2))
    decayed, still = adamw(model, TrainConfig(weight_decay=0.1), no_decay=["0.weight"]).param_groups
    assert (decayed["weight_decay"], still["weight_decay"]) == (0.1, 0.0)
    assert [id(p) for p in decayed["params"]] == [id(model[2].weight)]
    assert len(still["params"]) == 4


def test_undecayed_name_that_no_parameter_has_is_refused():
    with pytest.raises(ConfigError, match=r"\['wieght'\]"):
        adamw(nn.Linear(1, 1), TrainConfig(), no_decay=["wieght"])


def test_frozen_parameters_are_left_out():
    model = nn.Linear(2, 2)
    model.bias.requires_grad_(False)
    groups = adamw(model, TrainConfig()).param_groups
    assert sum(len(group["params"]) for group in groups) == 1


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("epochs", -1), ("epochs", 10**7), ("batch_size", 0), ("lr", float("nan")), ("lr", -1.0),
        ("lr", float("inf")),
        ("betas", (0.9,)), ("betas", (0.9, 1.0)), ("clip", -1.0), ("ema", 1.0), ("eval_every", 0),
        ("patience", 0), ("max_minutes", 0.0), ("save_every_steps", 0), ("log_every", 0),
        ("seed", -1), ("threads", 0), ("threads", 1025), ("schedule", "linear"),
        ("precision", "fp16"), ("monitor", "speed"), ("max_steps", -1), ("warmup_steps", -1),
        ("weight_decay", -0.1),
    ],
)  # fmt: skip
def test_option_out_of_range_is_named(option, value):
    with pytest.raises(ConfigError, match=rf"`training\.{option}`"):
        TrainConfig(**{option: value})


def test_identity_leaves_out_what_cannot_move_the_weights():
    known = set(TrainConfig.__dataclass_fields__)
    assert known >= FREE_ON_RESUME
    assert not FREE_ON_RESUME & set(TrainConfig().identity())


def test_unknown_device_is_refused():
    for name in ("tpu", "cuda:x", "cpu:1", "cuda:"):
        with pytest.raises(ConfigError, match=name):
            choose_device(name)


def test_absent_device_is_a_resource_error():
    with pytest.raises(ResourceError, match="cuda:99"):
        choose_device("cuda:99")


def test_automatic_device_exists():
    torch.zeros(1, device=choose_device("auto"))


def test_threads_are_put_back():
    before = torch.get_num_threads()
    with thread_limit(1):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


def test_more_threads_than_processors_are_warned_of(caplog, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    for threads, said in ((2, []), (3, ["training.threads is 3, on 2 processors"])):
        with thread_limit(threads):
            assert [record.message.partition(":")[0] for record in caplog.records] == said


def test_same_seed_draws_the_same_whatever_came_before():
    torch.manual_seed(1)
    with seeded(3):
        first = torch.rand(4)
    torch.rand(9)
    with seeded(3):
        assert torch.equal(torch.rand(4), first)


@pytest.mark.parametrize("other", [{"seed": 4}, {"purpose": "train"}, {"rank": 1}])
def test_other_streams_draw_otherwise(other):
    with seeded(3):
        first = torch.rand(4)
    with seeded(**{"seed": 3, **other}):
        assert not torch.equal(torch.rand(4), first)


def test_caller_continues_as_if_nothing_was_drawn():
    torch.manual_seed(1)
    expected = torch.rand(4)
    torch.manual_seed(1)
    with seeded(3):
        torch.rand(9)
    with preserved():
        torch.rand(9)
    assert torch.equal(torch.rand(4), expected)


def test_who_draws_keeps_the_generator_from_other_threads():
    def drawn(seed):
        with seeded(seed):
            time.sleep(0.05)  # another thread has its chance, which it must not have
            return [torch.rand(1).item() for _ in range(50)]

    alone = [drawn(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(drawn, range(4))) == alone


def test_second_run_in_a_folder_names_the_first(tmp_path):
    with locked(tmp_path), pytest.raises(ResourceError, match=f"process {os.getpid()}"):
        locked(tmp_path).__enter__()


def test_lock_of_a_killed_process_is_taken_over(tmp_path):
    code = (
        "import os, sys; from pathlib import Path; from seqrec.training.lock import locked\n"
        "with locked(Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert done.returncode == -9
    assert (tmp_path / ".lock").read_text() != ""
    with locked(tmp_path):
        assert (tmp_path / ".lock").read_text() == str(os.getpid())


def test_folder_that_cannot_be_made_is_a_resource_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match="cannot use"), locked(tmp_path / "file" / "run"):
        pass


def test_folder_that_is_not_there_once_it_was_made_is_a_resource_error(tmp_path, monkeypatch):
    # As below /proc: nothing can be made there, and nobody else removes it.
    monkeypatch.setattr(lock, "make_missing", lambda folder: (folder / "none" / "x").mkdir())
    with pytest.raises(ResourceError, match="No such file"), locked(tmp_path / "run"):
        pass


def test_the_speed_of_bfloat16_is_measured():
    assert 0.01 < bf16_speed(torch.device("cpu"), rounds=1) < 100


@pytest.mark.parametrize(("wanted", "said"), [(True, "counting... 0 s\n"), (False, ""), (None, "")])
def test_a_stage_says_what_takes_long_where_that_is_wanted(wanted, said, capsys):
    with stage("counting", wanted=wanted):
        pass
    assert capsys.readouterr() == ("", said)


@pytest.mark.parametrize(
    ("flags", "has"),
    [
        ("fma avx512f avx512_bf16", True),
        ("fma avx512f amx_bf16", True),
        ("fma avx512f avx512_bf16x", False),
        (None, False),
    ],
)
def test_a_cpu_has_bfloat16_where_it_says_so(monkeypatch, flags, has):
    said = {} if flags is None else {"flags": flags}
    monkeypatch.setattr(precision, "processor", lambda: said)
    assert has_bf16(torch.device("cpu")) == has


@pytest.mark.parametrize(("capability", "has"), [((7, 5), False), ((8, 0), True), ((9, 0), True)])
def test_a_gpu_has_bfloat16_from_a_generation_on(monkeypatch, capability, has):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    assert has_bf16(torch.device("cuda")) == has


def test_a_gpus_lstm_is_in_full_precision_for_a_while():
    lstm = torch.backends.cudnn.rnn
    before = lstm.fp32_precision
    with full_precision(torch.device("cuda")):  # nothing is computed: a machine needs none
        assert lstm.fp32_precision == "ieee"
    assert lstm.fp32_precision == before
    with pytest.raises(ZeroDivisionError), full_precision(torch.device("cuda")):
        _ = 1 // 0
    assert lstm.fp32_precision == before


@pytest.fixture(params=["none", "ieee", "bf16"])
def matmul(request):
    """oneDNN's products, as a caller may have set them."""
    matmul = torch.backends.mkldnn.matmul
    before, matmul.fp32_precision = matmul.fp32_precision, request.param
    yield matmul
    matmul.fp32_precision = before


@pytest.mark.parametrize("within", [full_precision, gradients])
def test_a_cpu_multiplies_float32_as_float32(within, matmul):
    value, width, before = 1 + 2**-12, 256, matmul.fp32_precision  # 1 in bfloat16
    with within(torch.device("cpu")):
        left = torch.full((512, width), value, requires_grad=True)
        product = left @ torch.ones(width, 512)
        assert (product == width * value).all()
    assert matmul.fp32_precision == before


def test_a_product_that_onednn_rounds_is_left_to_mkl():
    rounding = SimpleNamespace(fp32_precision="none")
    torch_full = torch.full
    with pytest.MonkeyPatch.context() as patch:
        # As where matrix instructions for bfloat16 are made use of: 1 + 2^-12 is 1 there.
        patch.setattr(torch, "full", lambda shape, _value, **kind: torch_full(shape, 1.0, **kind))
        assert not precision._is_exact(rounding)
    assert precision._is_exact(rounding)
    assert rounding.fp32_precision == "none"


def test_a_gpus_lstm_is_in_full_precision_until_the_last_thread_leaves():
    lstm = torch.backends.cudnn.rnn
    before = lstm.fp32_precision
    first, second = full_precision(torch.device("cuda")), full_precision(torch.device("cuda"))
    with ExitStack() as last:
        with first:
            last.enter_context(second)
        assert lstm.fp32_precision == "ieee"
    assert lstm.fp32_precision == before


FORKED = """
import os
from types import SimpleNamespace
from seqrec.training import held

with held._lock():  # as another thread may have it
    child = os.fork()
    if child == 0:
        owner = SimpleNamespace(value=1)
        with held.held(owner, "value", 2):
            assert owner.value == 2
        os._exit(owner.value)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
"""


def test_a_forked_child_waits_for_no_thread_of_its_parent():
    subprocess.run([sys.executable, "-c", FORKED], check=True, timeout=60)
