"""Where a generation starts: random latents from a seed, and variations between two seeds."""

from __future__ import annotations

import torch

from cinelet.video import Plan


def start(plan: Plan, shape: tuple[int, int, int, int]) -> tuple[torch.Tensor, torch.Generator]:
    """Standard normal latents `[C, T, H, W]`, float32 on the CPU, drawn as the reference draws them for one clip.

    With them comes the generator of all later noise (only some samplers draw any): the seed's, or the variation's where
    nothing is left of the seed.
    """
    generator = torch.Generator().manual_seed(plan.seed)
    latents = torch.randn((1, *shape), generator=generator)[0]
    if plan.variation_strength == 0:
        return latents, generator
    other_generator = torch.Generator().manual_seed(plan.variation_seed)
    other = torch.randn((1, *shape), generator=other_generator)[0]
    return slerp(latents, other, plan.variation_strength), other_generator if plan.variation_strength == 1 else generator


def slerp(start: torch.Tensor, end: torch.Tensor, share: float) -> torch.Tensor:
    """The point at `share` of the great circle from `start` to `end`: unlike a straight mix it keeps the noise's variance.

    Shoemake 1985, "Animating rotation with quaternion curves", section 3.3.
    """
    cosine = torch.dot(start.flatten(), end.flatten()) / (start.norm() * end.norm())
    angle = torch.arccos(cosine.clamp(-1, 1))
    if angle.sin().abs() < 1e-6:
        return torch.lerp(start, end, share)
    return (torch.sin((1 - share) * angle) * start + torch.sin(share * angle) * end) / torch.sin(angle)
