"""`python -m benchmarks.gpu` end to end on the tiny architecture: every row has a number or a reason, and one refusal stops nothing."""

from __future__ import annotations

import json

import pytest
import torch

from benchmarks import record
from benchmarks.gpu import __main__ as gpu
from benchmarks.gpu.architectures import ARCHITECTURES, Clip
from benchmarks.gpu.build import build
from benchmarks.gpu.measure import attempt
from benchmarks.readme import gpu_lines
from cinelet.scheduling.cost import Architecture as Sizes

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """One quick run, cold start included."""
    folder = tmp_path_factory.mktemp("gpu")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(record, "RESULTS", folder)
        # Tracing compiled blocks takes longer than all the rest; tests/engine/test_speed_paths.py does it once.
        patch.setattr(torch.nn.Module, "compile", lambda module, **_: None)
        path = gpu.main(["--model", "tiny", "--quick", "--device", "cpu", "--cold", str(folder / "cold")])
    return json.loads(path.read_text())


def test_every_contestant_has_a_number_or_a_reason(values: dict) -> None:
    for clip in values["clips"].values():
        rows = {**clip["variants"], **clip["together"], "mux": clip["mux"], "memory": clip["memory"]}
        assert all("refused" in row or any(name.endswith(("_s", "_gib")) for name in row) for row in rows.values())
        assert clip["variants"]["lossless"]["step_s"] > 0
        assert clip["decode beside steps"].keys() == {"at_once_s", "in_turn_s", "steps"}
        assert clip["mux"].keys() == {"mux_s", "mux_after_last_frame_s"}


def test_what_a_cpu_cannot_do_is_refused_with_its_reason_and_the_others_go_on(values: dict) -> None:
    (clip,) = values["clips"].values()
    assert "CUDA graphs need a CUDA device" in clip["variants"]["compiled with graphs"]["refused"]
    assert "no calibrated table" in clip["variants"]["step cache"]["refused"]
    assert "step_s" in clip["variants"]["all exact ones together"]
    assert {row["total_s"] > 0 for rows in clip["end_to_end"].values() for row in rows.values()} == {True}
    assert any(trial["refused"] for trial in clip["attention"])


def test_the_result_says_what_it_was_measured_on(values: dict) -> None:
    assert values["origin"]["commit"]
    assert values["machine"]["device"] == "cpu"
    assert values["weights"] == "random"
    assert values["cold"]["to_first_step_s"] >= values["cold"]["load_s"] > 0


def test_the_readmes_table_is_made_of_such_a_result(values: dict) -> None:
    text = "\n".join(gpu_lines([values]))
    assert "| tiny | 48x32x5 | 3 steps, guided |" in text
    assert "random weights" in text
    assert gpu_lines([]) == []


def test_a_refusal_keeps_its_first_line() -> None:
    def fail() -> dict[str, object]:
        raise torch.OutOfMemoryError("CUDA out of memory\nand a page of advice")

    assert attempt(fail) == {"refused": "OutOfMemoryError: CUDA out of memory"}


@pytest.mark.parametrize(
    ("name", "clip", "num_tokens", "tflop", "billions"),
    [
        ("5b", "1280x704x121", 27_280, 517, 5.0),
        ("a14b", "832x480x81", 32_760, 1_678, 14.3),
    ],
)
def test_the_full_size_models_are_the_published_ones(name: str, clip: str, num_tokens: int, tflop: float, billions: float) -> None:
    """Tokens, arithmetic and parameters against Wan2.2's own figures; on the meta device, so nothing is allocated."""
    model = build(ARCHITECTURES[name], torch.device("meta"), torch.bfloat16)
    size = Clip.parse(clip)
    config = model.experts[0].config
    sizes = Sizes(config.num_attention_heads * config.attention_head_dim, config.num_layers, config.ffn_dim)
    assert model.num_tokens(model.latent_shape(size.width, size.height, size.num_frames)) == num_tokens
    assert sizes.forward_flops(num_tokens) / 1e12 == pytest.approx(tflop, rel=0.01)
    assert sum(p.numel() for p in model.experts[0].parameters()) / 1e9 == pytest.approx(billions, rel=0.02)


def test_a_full_size_model_is_not_begun_on_a_cpu(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        gpu.main(["--model", "5b", "--device", "cpu"])
    assert "needs a GPU" in capsys.readouterr().err
