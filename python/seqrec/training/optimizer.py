"""AdamW with two groups of parameters, and its state as named tensors.

Loshchilov and Hutter, "Decoupled weight decay regularization" (2019). Biases, norms and other
vectors are never decayed (BERT4Rec's biases of distance are a matrix, and are), nor what the caller
names (the item table where the loss has its own L2 term).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import torch
from torch import Tensor, nn

from seqrec.errors import ConfigError
from seqrec.training.config import TrainConfig

MOMENTS = ("exp_avg", "exp_avg_sq", "step")


def adamw(
    model: nn.Module, config: TrainConfig, *, no_decay: Collection[str] = ()
) -> torch.optim.AdamW:
    """AdamW over the trained parameters of `model`, fused where PyTorch has it.

    Args:
        model: already on its device.
        config: gives the rate, betas and decay.
        no_decay: names of matrices to leave undecayed, as in `model.named_parameters()`.

    Raises:
        ConfigError: if the model has no parameter of such a name.
    """
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    unknown = sorted(set(no_decay) - set(trained))
    if unknown:
        raise ConfigError(f"no_decay names {unknown}, which are no parameters of the model")
    still = [p for name, p in trained.items() if p.ndim < 2 or name in no_decay]
    decayed = [p for name, p in trained.items() if p.ndim >= 2 and name not in no_decay]
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": still, "weight_decay": 0.0},
    ]
    first, second = config.betas
    return torch.optim.AdamW(groups, lr=config.lr, betas=(first, second), fused=_fuses(trained))


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Gives every group the learning rate of the coming step."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def optimizer_tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The moments and step counts as `exp_avg.NAME`, `exp_avg_sq.NAME` and `step.NAME`.

    A parameter that has had no gradient yet has none of them.
    """
    return {
        f"{moment}.{name}": value
        for name, parameter in model.named_parameters()
        for moment, value in optimizer.state.get(parameter, {}).items()
    }


def load_optimizer(
    model: nn.Module, optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]
) -> None:
    """Continues from saved moments; the digests of the artifact vouch for their names."""
    fused = bool(optimizer.param_groups[0].get("fused"))
    for name, parameter in model.named_parameters():
        if f"step.{name}" not in tensors:
            continue
        state = {key: tensors[f"{key}.{name}"].to(parameter.device).clone() for key in MOMENTS}
        if not fused:
            state["step"] = state["step"].cpu()  # the unfused step counts on the CPU
        optimizer.state[parameter] = state


def _fuses(parameters: Mapping[str, Tensor]) -> bool:
    kinds = ("cpu", "cuda", "mps")
    return all(p.is_floating_point() and p.device.type in kinds for p in parameters.values())
