"""The recipe for TensorRT: a shell script beside an export. Knows the command line of `trtexec`, nothing else."""

from __future__ import annotations

from collections.abc import Mapping

from cinelet.edge.manifest import TEXT_TOKENS, Graph, Manifest

SCRIPT = "build_tensorrt.sh"
USUAL_TOKENS = 64
"""A prompt of a sentence or two."""
SIZES = {
    "min": {"batch": 1, "tokens": 2},
    "opt": {"batch": 2, "tokens": USUAL_TOKENS},
    "max": {"batch": 2, "tokens": TEXT_TOKENS},
}
"""Of the free axes. A batch of two is one guided clip."""


def build_script(manifest: Manifest) -> str:
    """Builds one engine for each graph. Precision is the first argument: fp16 or bf16, or nothing for float32 with TF32."""
    lines = [
        "#!/bin/sh",
        f"# Builds TensorRT engines of {manifest.model}, {manifest.width}x{manifest.height}, {manifest.num_frames} frames.",
        "#   sh build_tensorrt.sh [fp16|bf16]",
        "# Written for trtexec of TensorRT 10, on the device that will run them. This script came with the export and was not run when",
        "# the export was made. Engines hold for one GPU model and one TensorRT version.",
        "set -eu",
        'cd "$(dirname "$0")"',
        'precision="${1:+--$1}"',
    ]
    lines += ["", *(_command(graph) for graph in manifest.transformers)]
    lines += ["# The decoder's normalisations want more than half precision.", _command(manifest.decoder, precision="")]
    return "\n".join(lines) + "\n"


def _command(graph: Graph, precision: str = " $precision") -> str:
    name = graph.file.removesuffix(".onnx")
    parts = [f"trtexec --onnx={graph.file} --saveEngine={name}.plan --skipInference{precision}"]
    if any(isinstance(axis, str) for axes in graph.inputs.values() for axis in axes):
        parts += [f"  --{bound}Shapes={_shapes(graph, sizes)}" for bound, sizes in SIZES.items()]
    return " \\\n".join(parts)


def _shapes(graph: Graph, sizes: Mapping[str, int]) -> str:
    shapes = {name: "x".join(str(sizes[axis] if isinstance(axis, str) else axis) for axis in axes) for name, axes in graph.inputs.items()}
    return ",".join(f"{name}:{shape}" for name, shape in shapes.items())
