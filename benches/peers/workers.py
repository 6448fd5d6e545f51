"""The driver's side of a peer's process: ask, wait, read; see `contract.py`."""

from __future__ import annotations

import json
import select
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from environments import HERE, interpreter, variables

from seqrec.errors import ResourceError

PATIENCE_SECONDS = 1_800.0
PATIENCE_TO_END_SECONDS = 20.0


class Worker:
    """A process of a peer, open for one case.

    Args:
        peer: whose; a file of `contenders/`.
        cache: has the peers' environments, and takes what the libraries print, in logs/.
        threads: how many it may use.
    """

    def __init__(self, peer: str, cache: Path, threads: int) -> None:
        self.peer = peer
        self.threads = threads
        log = cache / "logs" / f"{peer}.txt"
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log = log.open("a")
        self._process = subprocess.Popen(
            [str(interpreter(peer, cache / "peers")), "-m", f"contenders.{peer}"],
            cwd=HERE, env=variables(peer, threads), text=True, bufsize=1,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log,
        )  # fmt: skip

    def ask(self, *, patience: float = PATIENCE_SECONDS, **request: Any) -> dict[str, Any]:
        """The answer to a request, within `patience` seconds.

        Raises:
            ResourceError: if there is none, or it is an error.
        """
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(request) + "\n")
        except BrokenPipeError:
            raise ResourceError(f"{self.peer} ended: see {self._log.name}") from None
        if not select.select([process.stdout], [], [], patience)[0]:
            raise ResourceError(f"{self.peer} gave no answer in {patience:.0f} s")
        line = process.stdout.readline()
        if not line:
            raise ResourceError(f"{self.peer} ended: see {self._log.name}")
        answer = json.loads(line)
        if "error" in answer:
            raise ResourceError(f"{self.peer}: {answer['error']}")
        return answer

    def close(self) -> None:
        """Ends the process: without input it has nothing to do."""
        process = self._process
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(timeout=PATIENCE_TO_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._log.close()


@dataclass(kw_only=True)
class Seat:
    """A contender at the table: who runs it, and what came of its rounds.

    Attributes:
        name: in tables.
        threads: how many it may use.
        worker: its process; None where there is none.
        place: among the contenders of its process.
        version: of its library.
        unit: of its rates.
        note: what a reader must know.
        fault: why it is not timed; None if it is.
        rates: one of each round.
    """

    name: str
    threads: int
    worker: Worker | None = None
    place: int = 0
    version: str = ""
    unit: str = ""
    note: str = ""
    fault: str | None = None
    rates: list[float] = field(default_factory=list)

    def round(self, seed: int) -> None:
        """Runs one sample; a contender that breaks is out from then on."""
        if self.worker is not None and self.fault is None:
            try:
                answer = self.worker.ask(ask="round", contender=self.place, seed=seed)
                self.rates.append(answer["rate"])
            except ResourceError as error:
                self.fault = str(error)


def seated(worker: Worker, folder: Path, job: str, case: str) -> list[Seat]:
    """The contenders that a process offers for a case, checked."""
    answer = worker.ask(ask="open", folder=str(folder), job=job, case=case, threads=worker.threads)
    return [
        Seat(worker=worker, place=place, threads=worker.threads, version=answer["version"], **told)
        for place, told in enumerate(answer["contenders"])
    ]
