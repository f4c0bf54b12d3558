"""An architecture → a model with random weights, made on the device itself: nothing is read from disk or passes through the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKLWan, UniPCMultistepScheduler, WanPipeline, WanTransformer3DModel
from diffusers.models.transformers.transformer_wan import WanAttnProcessor, WanRotaryPosEmbed
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast, UMT5Config, UMT5EncoderModel

from benchmarks.gpu.architectures import Architecture
from cinelet.engine import WanModel

STD = 0.02
"""Of random weights, as transformers are usually initialised: nothing overflows in sixteen bits."""


def build(architecture: Architecture, device: torch.device, dtype: torch.dtype) -> WanModel:
    """The model as cinelet's engine takes it; the autoencoder in float32, as the reference has it."""
    with torch.device("meta"):
        experts = tuple(WanTransformer3DModel(**architecture.transformer) for _ in range(1 if architecture.boundary_ratio is None else 2))
        text_encoder = UMT5EncoderModel(UMT5Config(**architecture.text))
        vae = AutoencoderKLWan(**architecture.vae)
    for expert in experts:
        config = expert.config
        expert.rope = WanRotaryPosEmbed(config.attention_head_dim, config.patch_size, config.rope_max_seq_len).to(device)
        fill(expert, device, dtype, tuple(WanTransformer3DModel._keep_in_fp32_modules))
    fill(text_encoder, device, dtype)
    text_encoder.tie_weights()
    fill(vae, device, torch.float32)
    scheduler = UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=architecture.flow_shift)
    return WanModel(
        tokenizer=make_tokenizer(),
        text_encoder=text_encoder,
        experts=experts,
        vae=vae,
        scheduler_config=dict(scheduler.config),
        boundary=None if architecture.boundary_ratio is None else architecture.boundary_ratio * scheduler.config.num_train_timesteps,
        expand_timesteps=architecture.expand_timesteps,
        dtype=dtype,
        device=device,
        digest="random",
    )


def fill(module: torch.nn.Module, device: torch.device, dtype: torch.dtype, kept_in_float32: tuple[str, ...] = ()) -> None:
    """Replace every parameter that has no memory yet: noise for matrices, one for what scales, zero for what shifts.

    Names in `kept_in_float32` stay in float32, as diffusers keeps them when it loads a checkpoint.
    """
    module.eval()
    if device.type == "meta":
        return
    generator = torch.Generator(device).manual_seed(0)
    for prefix, part in module.named_modules():
        for name, parameter in part._parameters.items():
            if parameter is None or not parameter.is_meta:
                continue
            is_kept = any(kept in f"{prefix}.{name}".split(".") for kept in kept_in_float32)
            values = torch.empty(parameter.shape, device=device, dtype=torch.float32 if is_kept else dtype)
            if "norm" in prefix and name != "bias":
                values.fill_(1.0)
            elif name == "bias":
                values.zero_()
            else:
                values.normal_(0.0, STD, generator=generator)
            part._parameters[name] = torch.nn.Parameter(values, requires_grad=False)


def make_tokenizer() -> PreTrainedTokenizerFast:
    """One token a letter: how long a text is matters here, what it says does not."""
    letters = {chr(code): code - 29 for code in range(32, 127)}
    tokenizer = Tokenizer(models.WordLevel({"<pad>": 0, "</s>": 1, "<unk>": 2, **letters}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")


def stock(model: WanModel, architecture: Architecture) -> WanPipeline:
    """diffusers' own pipeline over the very same weights."""
    pipeline = WanPipeline(
        tokenizer=model.tokenizer,
        text_encoder=model.text_encoder,
        vae=model.vae,
        scheduler=UniPCMultistepScheduler.from_config(model.scheduler_config),
        transformer=model.experts[0],
        transformer_2=model.experts[1] if len(model.experts) > 1 else None,
        boundary_ratio=architecture.boundary_ratio,
        expand_timesteps=architecture.expand_timesteps,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


class StockAttention:
    """While it is open the experts' attention is diffusers' own again; the engine's processors come back afterwards."""

    def __init__(self, experts: tuple[Any, ...]) -> None:
        self._layers = [layer for expert in experts for block in expert.blocks for layer in (block.attn1, block.attn2)]
        self._kept: list[Any] = []

    def __enter__(self) -> None:
        self._kept = [layer.processor for layer in self._layers]
        for layer in self._layers:
            layer.set_processor(WanAttnProcessor())

    def __exit__(self, *_: object) -> None:
        for layer, processor in zip(self._layers, self._kept, strict=True):
            layer.set_processor(processor)


def write_checkpoint(model: WanModel, architecture: Architecture, folder: Path) -> None:
    """The model as a checkpoint folder, for the cold start."""
    stock(model, architecture).save_pretrained(folder, safe_serialization=True)
