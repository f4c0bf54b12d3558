"""Cross-attention that reads 512 prompt tokens without computing the empty ones.

Wan pads every prompt with zeros to 512 tokens and attends to all of them. The padding tokens are all equal, so `n` of
them weigh in the softmax exactly as one token whose score is raised by `log n`. Folding them leaves about twenty tokens
of five hundred; the result differs by rounding only. It pays where a clip has few tokens itself (small clips, CPUs); with tens
of thousands of image tokens the prompt's share is small, and an unmasked kernel is faster.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from diffusers.models.transformers.transformer_wan import WanAttention, WanAttnProcessor

from cinelet.engine.prompt import MAX_TOKENS


@dataclass(frozen=True)
class PromptBatch:
    """Prompts of one forward: `embeds_BLD`, and the additive score `bias_B11L` of each token (None: no folding)."""

    embeds_BLD: torch.Tensor
    bias_B11L: torch.Tensor | None


def pad(prompts: Sequence[torch.Tensor]) -> PromptBatch:
    """Each `[L, D]` prompt padded with zeros to 512 tokens, as the reference has it."""
    padded = [torch.nn.functional.pad(prompt_LD, (0, 0, 0, MAX_TOKENS - prompt_LD.shape[0])) for prompt_LD in prompts]
    return PromptBatch(torch.stack(padded), None)


def fold(prompts: Sequence[torch.Tensor]) -> PromptBatch:
    """Each `[L, D]` prompt with one zero token that stands for all its padding.

    Shorter prompts of the batch get further zero tokens with a score of minus infinity, so a prompt's neighbours do not
    change what it means.
    """
    longest = max(prompt_LD.shape[0] for prompt_LD in prompts)
    length = min(longest + 1, MAX_TOKENS)
    embeds, biases = [], []
    for prompt_LD in prompts:
        count = prompt_LD.shape[0]
        embeds.append(torch.nn.functional.pad(prompt_LD, (0, 0, 0, length - count)))
        bias_L = prompt_LD.new_zeros(length)
        if count < length:
            bias_L[count] = math.log(MAX_TOKENS - count)
            bias_L[count + 1 :] = -math.inf
        biases.append(bias_L)
    return PromptBatch(torch.stack(embeds), torch.stack(biases)[:, None, None, :])


class FoldedPromptProcessor(WanAttnProcessor):  # type: ignore[misc]
    """diffusers' attention with the batch's token scores added; one instance serves all cross-attention layers."""

    def __init__(self) -> None:
        super().__init__()
        self.bias_B11L: torch.Tensor | None = None

    def __call__(
        self,
        attn: WanAttention,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,  # noqa: ARG002 - the signature is diffusers'
        rotary_emb: tuple[torch.Tensor, torch.Tensor] | None = None,
    ) -> torch.Tensor:
        """As the base class, with `bias_B11L` as the mask."""
        result: torch.Tensor = super().__call__(attn, hidden_states, encoder_hidden_states, self.bias_B11L, rotary_emb)
        return result


def install(experts: Sequence[Any]) -> FoldedPromptProcessor:
    """The one processor of a model's cross-attention layers; the same for everyone who asks."""
    present = experts[0].blocks[0].attn2.processor
    if isinstance(present, FoldedPromptProcessor):
        return present
    processor = FoldedPromptProcessor()
    for expert in experts:
        for block in expert.blocks:
            block.attn2.set_processor(processor)
    return processor
