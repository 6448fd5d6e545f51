"""Benchmarks that anyone can repeat: seqrec beside its contenders, on the same work, in one run.

A *job* is a piece of the data path (a cloze batch, ranks, ingestion). Its *contenders* are ways to
do it: seqrec, its slow twin, and what a competent user would write with torch, NumPy, numba,
polars, duckdb or pandas. A contender is timed only after it has been shown to compute the same.
"""

from seqrec.bench.result import Results, Row, read_results, write_results

__all__ = ["Results", "Row", "read_results", "write_results"]
