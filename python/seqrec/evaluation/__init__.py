"""From scores to ranks, metrics, intervals and reports, by one stated protocol.

The evaluation never sees a model: it takes scorers (`scorers.py`), so that baselines, models and
the predictions of other libraries go through the same code.
"""
