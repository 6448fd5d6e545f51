"""What is noted of the machine, and what of it is warned about when a run goes on elsewhere."""

from __future__ import annotations

from pathlib import Path

import torch

from seqrec.training.artifact import Artifact
from seqrec.training.distributed import Ranks
from seqrec.training.state import environment, warn_other_environment

HERE = environment(torch.device("cpu"), Ranks(torch.device("cpu")))


def warned(caplog, then):
    saved = Artifact(documents={"environment": then})
    warn_other_environment(saved, HERE, Path("run/last"))
    return [record.getMessage() for record in caplog.records]


def test_processor_and_versions_are_noted():
    assert HERE["processor"]
    assert HERE["torch"] == str(torch.__version__)


def test_other_processor_is_warned_about(caplog):
    (message,) = warned(caplog, {**HERE, "processor": "Z80"})
    assert "processor was 'Z80'" in message


def test_state_that_did_not_note_the_processor_goes_on_in_silence(caplog):
    then = {name: value for name, value in HERE.items() if name != "processor"}
    assert warned(caplog, then) == []
