"""`seqrec doctor`: what seqrec runs on, and whether the extension works here."""

from __future__ import annotations

import typer


def doctor() -> None:
    """Print versions, devices and threads, and check the compiled kernels on a known answer."""
    import platform
    from importlib.metadata import version

    import numpy as np
    import torch

    from seqrec import _core
    from seqrec.training import bf16_speed, choose_device, has_bf16

    device = choose_device()
    precision, speed = "bf16" if has_bf16(device) else "fp32", bf16_speed(device)
    metrics = _core.rank_metrics(np.array([1.0, 2.0, 11.0]), 10)
    works = np.allclose(metrics[:, 1], [1.0, 1 / np.log2(3), 0.0])
    rows = {
        "seqrec": version("seqrec"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        **{name: version(name) for name in ("torch", "numpy", "pandas", "pyarrow", "scipy")},
        "extension": "works" if works else "GIVES WRONG ANSWERS",
        "extension threads": _core.threads(),
        "torch threads": torch.get_num_threads(),
        "device": device.type,
        "precision": f"{precision} by default (bf16 {speed:.1f} x as fast as fp32)",
        "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "mps": "yes" if torch.backends.mps.is_available() else "none",
    }
    for name, value in rows.items():
        typer.echo(f"{name:<18} {value}")
    if not works:
        raise typer.Exit(1)
