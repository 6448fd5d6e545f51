"""What a run measures of itself while it trains: losses, pace, and a bar that shows them."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from tqdm import tqdm

from seqrec.errors import DivergenceError
from seqrec.training.distributed import Ranks


@dataclass(slots=True, kw_only=True)
class Interval:
    """Sums over the steps since the last line of the log.

    Attributes:
        steps: their number.
        targets: predictions trained on, over all ranks.
        loss: sum of loss times targets.
        norm: sum of the gradient's norms before clipping.
    """

    steps: int = 0
    targets: int = 0
    loss: float = 0.0
    norm: float = 0.0


class Meter:
    """Collects each step's loss and gradient norm on the device, and reads them seldom.

    Reading waits for the device; so values are kept there until `collect`, which is also where a
    loss or a gradient that is not finite comes to light, with the step that it belongs to.

    Args:
        ranks: over which targets and losses are summed.
        interval: sums to go on from, in a resumed run.
    """

    def __init__(self, ranks: Ranks, interval: Interval) -> None:
        self.interval = interval
        self._ranks = ranks
        self._values: list[Tensor] = []
        self._targets: list[int] = []

    def record(self, loss: Tensor, norm: Tensor, targets: int) -> None:
        """Takes a step's mean loss over this rank's `targets`, and the whole gradient's norm."""
        self._values.append(torch.stack((loss.detach().float(), norm.float())))
        self._targets.append(targets)

    def collect(self, *, step: int, epoch: int) -> None:
        """Adds what was recorded to the interval; `step` is the number of steps done.

        Raises:
            DivergenceError: naming the first step whose loss or gradient is not finite.
        """
        if not self._values:
            return
        first = step - len(self._values) + 1
        for i, (loss, norm, targets) in enumerate(self._read()):
            if not (math.isfinite(loss) and math.isfinite(norm)):
                what = "gradient" if math.isfinite(loss) else "loss"
                raise DivergenceError(
                    f"the {what} is not finite at step {first + i} (epoch {epoch + 1}): lower "
                    "training.lr, set or lower training.clip, lengthen training.warmup_steps, or "
                    "use training.precision fp32; the best weights of earlier validations are kept"
                )
            self.interval.steps += 1
            self.interval.targets += int(targets)
            self.interval.loss += loss
            self.interval.norm += norm

    def flush(self) -> Interval:
        """The interval that ends here; the next one begins."""
        ended, self.interval = self.interval, Interval()
        return ended

    def _read(self) -> list[list[float]]:
        """For each step: loss times targets and targets, both over all ranks, and the norm."""
        values = torch.stack(self._values).cpu().double()
        targets = torch.tensor(self._targets, dtype=torch.float64, device="cpu")
        weighted = torch.where(targets > 0, values[:, 0] * targets, 0.0)
        sums = self._ranks.total(torch.stack((weighted, targets)))
        self._values, self._targets = [], []
        return torch.stack((sums[0], values[:, 1], sums[1]), dim=1).tolist()


class Clock:
    """Seconds of a run over all its resumptions, and the pace since the last look.

    Args:
        seconds: spent before this process took over.
        waited: the stream's waiting time so far.
    """

    def __init__(self, seconds: float, waited: float) -> None:
        self._start = time.monotonic() - seconds
        self._looked = time.monotonic()
        self._waited = waited

    @property
    def seconds(self) -> float:
        """Since the run began, without the time between its processes."""
        return time.monotonic() - self._start

    def look(self, waited: float) -> tuple[float, float]:
        """Seconds since the last look, and which share of them was spent waiting for data."""
        now = time.monotonic()
        passed = max(now - self._looked, 1e-9)
        share = min(max(waited - self._waited, 0.0) / passed, 1.0)
        self._looked, self._waited = now, waited
        return passed, share


@contextmanager
def stage(what: str, *, wanted: bool | None) -> Iterator[None]:
    """Says on standard error what is being done, and how long it took.

    Args:
        what: what is done.
        wanted: whether to say it; None says it where standard error is a terminal.
    """
    if not _shown(wanted):
        yield
        return
    began = time.monotonic()
    sys.stderr.write(f"{what}...")
    sys.stderr.flush()
    try:
        yield
    finally:
        sys.stderr.write(f" {time.monotonic() - began:.0f} s\n")


def _shown(wanted: bool | None) -> bool:
    return sys.stderr.isatty() if wanted is None else wanted


class Bar:
    """A progress bar over all steps on standard error.

    Args:
        total: steps of the whole run.
        done: steps done before.
        wanted: whether to show it; None shows it where standard error is a terminal.
    """

    def __init__(self, total: int, done: int, *, wanted: bool | None) -> None:
        hidden = not _shown(wanted)
        self._bar = tqdm(total=total, initial=done, unit="step", disable=hidden, leave=True)

    def step(self) -> None:
        """One more step is done."""
        self._bar.update(1)

    def show(self, epoch: int, loss: float, pace: float, waiting: float) -> None:
        """The state at the end of an interval."""
        self._bar.set_description(f"epoch {epoch + 1}", refresh=False)
        text = f"loss {loss:.4f}, {pace:,.0f} targets/s, data-wait {waiting:.0%}"
        self._bar.set_postfix_str(text)

    def close(self) -> None:
        """Leaves the bar as it stands."""
        self._bar.close()
