"""Simulated logs whose best possible prediction is known."""

from seqrec.simulation.oracle import Oracle, PairOracle
from seqrec.simulation.simulator import (
    PRESETS,
    Simulated,
    SimulationConfig,
    World,
    build_world,
    preset,
    simulate,
)

__all__ = [
    "PRESETS",
    "Oracle",
    "PairOracle",
    "Simulated",
    "SimulationConfig",
    "World",
    "build_world",
    "preset",
    "simulate",
]
