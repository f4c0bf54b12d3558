"""Trains the pocket's tokenizer (unigram, English and Chinese) and its small UMT5 encoder.

    python -m training.pocket.train_text --steps 4000 --out runs/pocket/text

The encoder learns to read a sentence before any video exists: every token's output must tell subject, colour, motion
and scene through four linear heads, which are thrown away afterwards. So each token carries the whole meaning, the
transformer's cross-attention finds it wherever it looks, and the encoder sees a million sentences in minutes.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from torch import nn
from torch.nn import functional as F
from transformers import PreTrainedTokenizerFast, UMT5Config, UMT5EncoderModel

from training.pocket.arithmetic import autocast
from training.pocket.captions import random_captioned_scene
from training.pocket.run import Run, learning_rate
from training.pocket.world import LABELS, Scene

VOCABULARY = 4096
MAX_LENGTH = 512
HELD_OUT = Path(__file__).with_name("held_out_prompts.jsonl")


def sentences(num: int, seed: int) -> list[tuple[str, Scene]]:
    """Captions with their scenes, English and Chinese in turn."""
    rng = random.Random(seed)
    return [random_captioned_scene(rng, ("en", "zh")[i % 2]) for i in range(num)]


def train_tokenizer(num_sentences: int = 120_000) -> PreTrainedTokenizerFast:
    """A unigram tokenizer over lower-cased NFKC text; unknown words fall apart into letters, which are all known."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Lowercase(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(), pre_tokenizers.Punctuation(), pre_tokenizers.Digits(individual_digits=True)]
    )
    tokenizer.decoder = decoders.Metaspace()
    letters = [chr(code) for code in range(33, 127)]
    trainer = trainers.UnigramTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<pad>", "</s>", "<unk>"],
        unk_token="<unk>",
        initial_alphabet=letters,
        max_piece_length=12,
    )
    tokenizer.train_from_iterator((text for text, _ in sentences(num_sentences, seed=1)), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        model_max_length=MAX_LENGTH,
        padding_side="right",
    )


def make_encoder(vocabulary: int) -> UMT5EncoderModel:
    """The pocket's UMT5 encoder with fresh weights."""
    config = UMT5Config(
        vocab_size=vocabulary,
        d_model=128,
        d_kv=32,
        d_ff=256,
        num_layers=3,
        num_heads=4,
        dropout_rate=0.1,
        relative_attention_num_buckets=32,
        relative_attention_max_distance=64,
        feed_forward_proj="gated-gelu",
        pad_token_id=0,
        eos_token_id=1,
        decoder_start_token_id=0,
        tie_word_embeddings=False,
    )
    return UMT5EncoderModel(config)


class LabelHeads(nn.Module):
    """Four linear readers of a token's output, one for each label."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = nn.ModuleList(nn.Linear(width, len(names)) for names in LABELS.values())

    def forward(self, hidden_BLD: torch.Tensor) -> list[torch.Tensor]:
        """Logits `[B, L, labels]` for each label."""
        return [head(hidden_BLD) for head in self.heads]


def smudge(text: str, rng: random.Random) -> str:
    """Now and then a slip of the keyboard: a letter lost, doubled or swapped with its neighbour."""
    if rng.random() > 0.12 or len(text) < 8:
        return text
    i = rng.randrange(1, len(text) - 2)
    return rng.choice((text[:i] + text[i + 1 :], text[:i] + text[i] + text[i:], text[:i] + text[i + 1] + text[i] + text[i + 2 :]))


def batch_of_similar_length(step: int, batch: int, pool: int = 4) -> list[tuple[str, Scene]]:
    """Batch number `step`: every `pool` batches are drawn together and sorted by length, so that little is padding."""
    rng = random.Random(10_000_000 + step // pool)
    pairs = [random_captioned_scene(rng, ("en", "zh")[i % 2]) for i in range(batch * pool)]
    pairs.sort(key=lambda pair: len(pair[0].encode()))
    start = step % pool * batch
    return [(smudge(text, rng), scene) for text, scene in pairs[start : start + batch]]


def tokenise(tokenizer: Any, texts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and mask `[B, L]`."""
    batch = tokenizer(list(texts), padding=True, truncation=True, max_length=96, return_tensors="pt")
    return batch.input_ids, batch.attention_mask


@torch.no_grad()
def held_out_accuracy(tokenizer: Any, encoder: UMT5EncoderModel, heads: LabelHeads) -> dict[str, float]:
    """Share of held-out sentences understood, by label and language (a sentence's own silence is not judged)."""
    encoder.eval()
    rows = [json.loads(line) for line in HELD_OUT.read_text(encoding="utf-8").splitlines()]
    ids, mask = tokenise(tokenizer, [row["prompt"] for row in rows])
    logits = heads(encoder(ids, mask).last_hidden_state)
    hits: dict[str, list[bool]] = {}
    for (label, names), logits_BLN in zip(LABELS.items(), logits, strict=True):
        guesses = [logits_BLN[i][mask[i] > 0].float().log_softmax(-1).mean(0).argmax().item() for i in range(len(rows))]
        for row, guess in zip(rows, guesses, strict=True):
            if label in row:
                hits.setdefault(f"{label}_{row['language']}", []).append(names[int(guess)] == row[label])
    encoder.train()
    return {key: sum(value) / len(value) for key, value in sorted(hits.items())}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--batch", type=int, default=192)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--out", type=Path, default=Path("runs/pocket/text"))
    args = parser.parse_args()

    torch.manual_seed(0)
    run = Run(args.out)
    if not (args.out / "tokenizer").exists():
        train_tokenizer().save_pretrained(args.out / "tokenizer")
    tokenizer = PreTrainedTokenizerFast.from_pretrained(args.out / "tokenizer")
    encoder = make_encoder(len(tokenizer)).train()
    heads = LabelHeads(encoder.config.d_model)
    both = nn.ModuleList([encoder, heads])
    print(f"{len(tokenizer)} tokens, {sum(p.numel() for p in encoder.parameters()) / 1e6:.2f} M parameters")
    optimizer = torch.optim.AdamW(both.parameters(), lr=args.lr, betas=(0.9, 0.98), weight_decay=0.01)
    step = 0
    if state := run.find_state():
        both.load_state_dict(state["both"])
        optimizer.load_state_dict(state["optimizer"])
        step = state["step"]
    total, since = 0.0, 0
    while step < args.steps:
        pairs = batch_of_similar_length(step, args.batch)
        ids, mask = tokenise(tokenizer, [text for text, _ in pairs])
        labels = torch.tensor([scene.label_ids for _, scene in pairs])
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, args.steps, args.lr, warmup=100)
        with autocast():
            logits = heads(encoder(ids, mask).last_hidden_state)
        loss = torch.zeros(())
        for i, logits_BLN in enumerate(logits):
            each = F.cross_entropy(logits_BLN.float().transpose(1, 2), labels[:, i : i + 1].expand_as(ids), reduction="none")
            loss = loss + (each * mask).sum() / mask.sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(both.parameters(), 1.0)
        optimizer.step()
        step += 1
        total, since = total + loss.item(), since + 1
        if step % 100 == 0:
            run.log(step=step, loss=total / since)
            total, since = 0.0, 0
        if step % 500 == 0 or step == args.steps:
            run.save(both=both.state_dict(), optimizer=optimizer.state_dict(), step=step)
            if HELD_OUT.exists():
                run.log(step=step, **held_out_accuracy(tokenizer, encoder, heads))
    encoder.save_pretrained(args.out / "text_encoder")


if __name__ == "__main__":
    main()
