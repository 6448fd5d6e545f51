"""The jobs, one file each: what is done, by whom, and how to tell that it is the same.

A job's function yields its cases one after another, since the arrays of some are large: a case is
timed before the next one is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from seqrec.bench.contender import Job
from seqrec.bench.jobs.cloze import cloze
from seqrec.bench.jobs.data_wait import data_wait
from seqrec.bench.jobs.evaluate import evaluate
from seqrec.bench.jobs.ingest import ingest
from seqrec.bench.jobs.negatives import negatives
from seqrec.bench.jobs.next_item import next_item
from seqrec.bench.jobs.rank import rank
from seqrec.bench.jobs.relevance import relevance
from seqrec.bench.jobs.top_k import top_k
from seqrec.bench.shapes import Problem

JOBS: dict[str, Callable[[Problem], Iterator[Job]]] = {
    "cloze": cloze,
    "next_item": next_item,
    "relevance": relevance,
    "negatives": negatives,
    "rank": rank,
    "top_k": top_k,
    "ingest": ingest,
    "evaluate": evaluate,
    "data_wait": data_wait,
}
