"""Prompt → embeddings, remembered: the negative prompt and repeated prompts are encoded once.

Prompts are cleaned and tokenised as diffusers' `WanPipeline` does, but encoded without the padding to 512 tokens: the
encoder's mask hides the padding from every real token, so the real tokens' embeddings do not change. One prompt at a
time, because a batch changes the rounding of the encoder and so the clip (vLLM-Omni issue 5676).
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch
from diffusers.pipelines.wan.pipeline_wan import prompt_clean

MAX_TOKENS = 512
"""Wan's text length; longer prompts are cut here, as the reference does."""


class PromptEncoder:
    """Tokenizer and UMT5 encoder with a bounded memory of the last `max_entries` prompts (about 4 MB each for UMT5-XXL)."""

    def __init__(self, tokenizer: Any, text_encoder: Any, max_entries: int = 256) -> None:
        self._tokenizer = tokenizer
        self._text_encoder = text_encoder
        self._max_entries = max_entries
        self._known: OrderedDict[str, torch.Tensor] = OrderedDict()
        self.num_hits = 0
        self.num_misses = 0

    def knows(self, prompt: str) -> bool:
        """Whether the encoder is not needed for this prompt."""
        return prompt in self._known

    @torch.no_grad()
    def encode(self, prompt: str) -> torch.Tensor:
        """Embeddings `[L, D]` of the prompt's `L <= 512` tokens, end token included. Shared with the cache: do not write."""
        if prompt in self._known:
            self.num_hits += 1
            self._known.move_to_end(prompt)
            return self._known[prompt]
        self.num_misses += 1
        tokens = self._tokenizer(
            [prompt_clean(prompt)], max_length=MAX_TOKENS, truncation=True, add_special_tokens=True, return_tensors="pt"
        )
        device = self._text_encoder.device
        output = self._text_encoder(tokens.input_ids.to(device), tokens.attention_mask.to(device))
        embeds_LD: torch.Tensor = output.last_hidden_state[0]
        self._known[prompt] = embeds_LD
        if len(self._known) > self._max_entries:
            self._known.popitem(last=False)
        return embeds_LD
