"""Muon: steepest descent under the spectral norm for weight matrices, AdamW for everything else.

Each matrix's momentum is replaced by the nearest semi-orthogonal matrix, by five Newton-Schulz steps (Jordan et al. 2024,
https://kellerjordan.github.io/posts/muon/); convolution kernels count as matrices of `out x (in * window)`. The update
is scaled by `0.2 * sqrt(max(rows, columns))`, so that it has the size of an AdamW update and shares its learning rate
(Liu et al. 2025, arXiv 2502.16982, section 2.2).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from training.pocket.arithmetic import DTYPE

COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def orthogonalise(matrix: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """Roughly the nearest semi-orthogonal matrix: singular values are driven to about 1."""
    a, b, c = COEFFICIENTS
    x = matrix.to(DTYPE)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    result: torch.Tensor = (x.T if tall else x).float()
    return result


class Muon(torch.optim.Optimizer):
    """Muon for parameters of two or more axes, given as one list; pair it with AdamW for the rest."""

    def __init__(self, params: Iterable[nn.Parameter], lr: float, momentum: float = 0.95, weight_decay: float = 0.0) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # noqa: ARG002 - the signature is torch's
        """One update; parameters without a gradient are left alone."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if not state:
                    state["momentum"] = torch.zeros_like(parameter)
                momentum = state["momentum"].lerp_(parameter.grad, 1 - group["momentum"])
                ahead = parameter.grad.lerp(momentum, group["momentum"]).flatten(1)
                update = orthogonalise(ahead).view_as(parameter) * 0.2 * max(ahead.shape) ** 0.5
                parameter.mul_(1 - group["lr"] * group["weight_decay"]).add_(update, alpha=-group["lr"])


class MuonWithAdamW:
    """Both optimizers as one: matrices of the module's body by Muon, the named edges, vectors and tables by AdamW."""

    def __init__(self, module: nn.Module, edges: tuple[str, ...], lr: float, weight_decay: float, adamw_share: float = 0.5) -> None:
        named = [(name, p) for name, p in module.named_parameters() if p.requires_grad]
        is_matrix = {name: p.ndim >= 2 and min(p.shape[0], p[0].numel()) > 1 and not name.startswith(edges) for name, p in named}
        self.muon = Muon([p for name, p in named if is_matrix[name]], lr=lr, weight_decay=weight_decay)
        rest = [p for name, p in named if not is_matrix[name]]
        self.adamw = torch.optim.AdamW(rest, lr=lr * adamw_share, betas=(0.9, 0.98), weight_decay=0.0)
        self.adamw_share = adamw_share

    def step(self, lr: float) -> None:
        """One update of everything at learning rate `lr`, then the gradients are dropped."""
        for optimizer, share in ((self.muon, 1.0), (self.adamw, self.adamw_share)):
            for group in optimizer.param_groups:
                group["lr"] = lr * share
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    def state_dict(self) -> dict[str, Any]:
        """Resumable state of both."""
        return {"muon": self.muon.state_dict(), "adamw": self.adamw.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict()`."""
        self.muon.load_state_dict(state["muon"])
        self.adamw.load_state_dict(state["adamw"])
