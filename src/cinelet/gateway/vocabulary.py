"""The words other servers' clients use: which mean ours, which change nothing here, which are refused and why. Tables only.

Collected from the request fields of OpenAI, vLLM-Omni, SGLang, LightX2V, Wan's own scripts, Replicate, OpenRouter and DashScope.
"""

from __future__ import annotations

from cinelet.video import Preset

ALIASES = {
    "steps": "num_inference_steps",
    "infer_steps": "num_inference_steps",
    "sample_steps": "num_inference_steps",
    "cfg": "guidance_scale",
    "cfg_scale": "guidance_scale",
    "sample_guide_scale": "guidance_scale",
    "shift": "flow_shift",
    "sample_shift": "flow_shift",
    "sample_solver": "sampler",
    "frame_num": "num_frames",
    "target_video_length": "num_frames",
    "frames_per_second": "fps",
    "target_fps": "fps",
    "duration": "seconds",
    "num_outputs_per_prompt": "n",
    "num_videos_per_prompt": "n",
    "image": "input_reference",
    "image_url": "input_reference",
    "image_reference": "input_reference",
    "reference_url": "input_reference",
    "lora": "loras",
    "lora_name": "loras",
}
"""Another name → our name. Two names of one field may both come if they agree."""

PRESETS: dict[str, Preset] = {"draft": "draft", "standard": "standard", "final": "final", "quality": "final"}
QUALITIES: dict[str, Preset | None] = {**PRESETS, "default": None, "auto": None, "lossless": None, "high": None}
"""`quality` names a preset, or how exact kernels must be (`lossless`, `high`): ours are always exact, so both are kept."""

FOREIGN_MODELS = ("sora-2",)
"""Beginnings of model names that clients send by default without meaning them."""

NO_EFFECT = {
    "boundary_ratio": "each model has its own",
    "true_cfg_scale": "it is not a parameter of Wan",
    "short_edge": "say size, or resolution with aspect_ratio",
    "enable_frame_interpolation": "frames are not interpolated here",
    "frame_interpolation_exp": "frames are not interpolated here",
    "frame_interpolation_scale": "frames are not interpolated here",
    "enable_upscaling": "clips are not upscaled here",
    "upscaling_scale": "clips are not upscaled here",
    "enhance_prompt": "say rewrite_prompt",
    "prompt_extend": "say rewrite_prompt",
    "use_prompt_enhancer": "say rewrite_prompt",
    "enable_prompt_expansion": "say rewrite_prompt",
    "enable_teacache": "say step_cache: mild or strong",
    "enable_cache_dit": "say step_cache: mild or strong",
    "cfg_gate_step": "every step is computed",
    "attention_backend_override": "the engine chooses",
    "max_sequence_length": "the text encoder reads the first 512 tokens",
    "output_quality": "the file's quality is fixed",
    "output_compression": "the file's quality is fixed",
    "x264_preset": "the file's quality is fixed",
    "watermark": "the service decides how clips are marked",
    "response_format": "the content is downloaded from the url of the answer",
    "session_id": "nothing is kept by session",
}
"""Harmless fields → why they change nothing. They are accepted, with a warning that says so."""

NO_SOUND = "clips have no sound"
NO_PATHS = "paths of the server are never taken from a request"
NO_VIDEO_INPUT = "no video is taken; a picture is, as input_reference, where the model begins with one"

REFUSED = {
    "generate_sound": NO_SOUND,
    "generate_audio": NO_SOUND,
    "sound_duration": NO_SOUND,
    "audio_reference": NO_SOUND,
    "lora_path": NO_PATHS,
    "model_path": NO_PATHS,
    "image_path": NO_PATHS,
    "video_path": NO_PATHS,
    "audio_path": NO_PATHS,
    "output_path": NO_PATHS,
    "upscaling_model_path": NO_PATHS,
    "frame_interpolation_model_path": NO_PATHS,
    "video": NO_VIDEO_INPUT,
    "video_url": NO_VIDEO_INPUT,
    "video_reference": NO_VIDEO_INPUT,
    "control_reference": NO_VIDEO_INPUT,
    "frame_images": "send one input_reference",
    "input_references": "send one input_reference",
    "last_image": "send one input_reference",
    "previous_job_id": "use the remix route of that video",
}
"""Fields whose silent loss would give another clip than was asked for, or that reach for what is not the caller's."""

SERVICE_OWNED = frozenset({"tenant", "tenant_id", "id", "state", "status", "cost"})
"""Refused whatever their value: a body that sets them tries for more than its caller has."""
