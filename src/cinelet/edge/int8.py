"""Weights of a transformer's matrix products in int8, by onnxruntime. All else stays float32.

Each 32 weights in a row share a scale (`MatMulNBits`, an operator of onnxruntime's own). onnxruntime's older way, one scale a column and
one for all activations of a layer, drew another clip: 28 to 33 dB beside the pocket model's own, this way 47 to 52
(`benchmarks/edge.py`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cinelet.extras import extra

BLOCK = 32
"""Weights that share a scale. Blocks of 128 make the file 5 % smaller and cost 3 dB."""
INT8_ACTIVATIONS = 4
"""The operator's `accuracy_level` that multiplies in int8, activations quantised by the block as they come
(github.com/microsoft/onnxruntime, docs/ContribOperators.md)."""


def quantise(source: Path, target: Path, *, is_large: bool) -> None:
    """Write `target`, `source` with small matrices. `is_large` puts weights into a file beside it. Holds the whole model in memory."""
    with extra("edge"), _untouched_logging():
        from onnxruntime.quantization.matmul_nbits_quantizer import (  # type: ignore[import-untyped]  # noqa: PLC0415
            DefaultWeightOnlyQuantConfig,
            MatMulNBitsQuantizer,
            logger,
        )

    logger.setLevel(logging.ERROR)  # else two lines a node
    config = DefaultWeightOnlyQuantConfig(
        bits=8, block_size=BLOCK, is_symmetric=True, accuracy_level=INT8_ACTIVATIONS, op_types_to_quantize=("MatMul",)
    )
    quantiser = MatMulNBitsQuantizer(str(source), algo_config=config)
    quantiser.process()
    quantiser.model.save_model_to_file(str(target), is_large)


@contextmanager
def _untouched_logging() -> Iterator[None]:
    """The module of the quantiser gives the root logger a handler when it is imported."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
