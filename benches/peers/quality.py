"""Who learns faster: validation ndcg@10 after minutes of processor time, seqrec beside its peers.

    python benches/peers/quality.py ml-1m --minutes 10
    seqrec curves .bench/quality/* --out curves.png

Everybody trains on the training part of the same prepared folder, with the sizes of the other
training benches, windows of the last 50 items, batches of 64 and fp32; then each user's validation
item is ranked among the unseen ones, while the clock stands still. One after the other; each leaves
a folder with a training log, which `seqrec curves` reads beside those of any run.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import inputs
from environments import PEERS, SEQREC
from run import CACHE
from workers import Worker

from seqrec.bench.machine import describe
from seqrec.data import Dataset
from seqrec.errors import ResourceError, SeqrecError
from seqrec.training.journal import LOG

CASES = {
    "bert4rec": (SEQREC, "replay", "rectools", "recbole"),
    "next_item": (SEQREC, "rectools", "recbole"),
}
SCORING_SECONDS = 7_200.0  # at most, for making ready and for all looks


def main() -> None:
    options = _options()
    folder = inputs.from_dataset(CACHE / "input", Dataset.load(options.data))
    options.out.mkdir(parents=True, exist_ok=True)
    for case in options.case:
        for peer in CASES[case]:
            if peer in options.peer:
                learn(peer, case, folder, options)


def learn(peer: str, case: str, folder: Path, options: argparse.Namespace) -> None:
    """Trains what a peer has for the case, and writes its curves."""
    began = datetime.now(UTC).isoformat(timespec="seconds")
    worker = Worker(peer, CACHE, options.threads)
    try:
        answer = worker.ask(
            patience=SCORING_SECONDS + 120 * options.minutes, ask="learn", folder=str(folder),
            case=case, threads=options.threads, minutes=options.minutes, looks=options.looks,
            seed=options.seed,
        )  # fmt: skip
    except ResourceError as error:
        print(f"{peer}, {case}: {error}", file=sys.stderr)
        return
    finally:
        worker.close()
    about = {
        "date": began, "machine": describe(), "threads": options.threads,
        "version": answer["version"], "seed": options.seed,
    }  # fmt: skip
    for curve in answer["curves"]:
        _write(options.out / curve["name"], curve["points"], about | {"note": curve["note"]})


def _write(folder: Path, points: list[dict[str, Any]], about: dict[str, Any]) -> None:
    folder.mkdir(exist_ok=True)
    (folder / LOG).write_text("".join(json.dumps(point) + "\n" for point in points))
    (folder / "about.json").write_text(json.dumps(about, indent=2))
    last = points[-1]
    print(f"{folder}: ndcg@10 {last['ndcg@10']:.4f} in {last['step']:,} steps", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="a folder made by `seqrec prepare`")
    parser.add_argument("--case", nargs="+", choices=CASES, default=list(CASES), help="the models")
    parser.add_argument("--peer", nargs="+", choices=(SEQREC, *PEERS), default=(SEQREC, *PEERS))
    parser.add_argument("--minutes", type=float, default=10, help="of processor time, each")
    parser.add_argument("--looks", type=int, default=10, help="validations, evenly spread")
    parser.add_argument("--threads", type=int, default=1, help="that each may use")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=CACHE / "quality", help="of the curves")
    options = parser.parse_args()
    if options.looks < 1 or not options.minutes > 0:
        parser.error("--looks is to be at least 1 and --minutes above 0")
    return options


if __name__ == "__main__":
    try:
        main()
    except SeqrecError as error:
        sys.exit(str(error))
