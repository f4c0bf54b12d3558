from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CreateVideoRequest(_message.Message):
    __slots__ = ("prompt", "negative_prompt", "model", "preset", "size", "seconds", "num_frames", "fps", "num_inference_steps", "guidance_scale", "guidance_scale_2", "sampler", "flow_shift", "seed", "variation_seed", "variation_strength", "deadline_s", "allow_degrade", "callback_url", "user", "metadata", "draft_first", "tier", "loras", "vae", "step_cache", "rewrite_prompt", "input_reference", "idempotency_key")
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    NEGATIVE_PROMPT_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PRESET_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    NUM_FRAMES_FIELD_NUMBER: _ClassVar[int]
    FPS_FIELD_NUMBER: _ClassVar[int]
    NUM_INFERENCE_STEPS_FIELD_NUMBER: _ClassVar[int]
    GUIDANCE_SCALE_FIELD_NUMBER: _ClassVar[int]
    GUIDANCE_SCALE_2_FIELD_NUMBER: _ClassVar[int]
    SAMPLER_FIELD_NUMBER: _ClassVar[int]
    FLOW_SHIFT_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    VARIATION_SEED_FIELD_NUMBER: _ClassVar[int]
    VARIATION_STRENGTH_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_S_FIELD_NUMBER: _ClassVar[int]
    ALLOW_DEGRADE_FIELD_NUMBER: _ClassVar[int]
    CALLBACK_URL_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    DRAFT_FIRST_FIELD_NUMBER: _ClassVar[int]
    TIER_FIELD_NUMBER: _ClassVar[int]
    LORAS_FIELD_NUMBER: _ClassVar[int]
    VAE_FIELD_NUMBER: _ClassVar[int]
    STEP_CACHE_FIELD_NUMBER: _ClassVar[int]
    REWRITE_PROMPT_FIELD_NUMBER: _ClassVar[int]
    INPUT_REFERENCE_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    prompt: str
    negative_prompt: str
    model: str
    preset: str
    size: str
    seconds: float
    num_frames: int
    fps: int
    num_inference_steps: int
    guidance_scale: float
    guidance_scale_2: float
    sampler: str
    flow_shift: float
    seed: int
    variation_seed: int
    variation_strength: float
    deadline_s: float
    allow_degrade: bool
    callback_url: str
    user: str
    metadata: _struct_pb2.Struct
    draft_first: bool
    tier: str
    loras: _containers.RepeatedCompositeFieldContainer[Lora]
    vae: str
    step_cache: str
    rewrite_prompt: bool
    input_reference: bytes
    idempotency_key: str
    def __init__(self, prompt: _Optional[str] = ..., negative_prompt: _Optional[str] = ..., model: _Optional[str] = ..., preset: _Optional[str] = ..., size: _Optional[str] = ..., seconds: _Optional[float] = ..., num_frames: _Optional[int] = ..., fps: _Optional[int] = ..., num_inference_steps: _Optional[int] = ..., guidance_scale: _Optional[float] = ..., guidance_scale_2: _Optional[float] = ..., sampler: _Optional[str] = ..., flow_shift: _Optional[float] = ..., seed: _Optional[int] = ..., variation_seed: _Optional[int] = ..., variation_strength: _Optional[float] = ..., deadline_s: _Optional[float] = ..., allow_degrade: _Optional[bool] = ..., callback_url: _Optional[str] = ..., user: _Optional[str] = ..., metadata: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., draft_first: _Optional[bool] = ..., tier: _Optional[str] = ..., loras: _Optional[_Iterable[_Union[Lora, _Mapping]]] = ..., vae: _Optional[str] = ..., step_cache: _Optional[str] = ..., rewrite_prompt: _Optional[bool] = ..., input_reference: _Optional[bytes] = ..., idempotency_key: _Optional[str] = ...) -> None: ...

class GetVideoRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class ListVideosRequest(_message.Message):
    __slots__ = ("after", "limit", "order")
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    after: str
    limit: int
    order: str
    def __init__(self, after: _Optional[str] = ..., limit: _Optional[int] = ..., order: _Optional[str] = ...) -> None: ...

class ListVideosResponse(_message.Message):
    __slots__ = ("videos", "has_more")
    VIDEOS_FIELD_NUMBER: _ClassVar[int]
    HAS_MORE_FIELD_NUMBER: _ClassVar[int]
    videos: _containers.RepeatedCompositeFieldContainer[Video]
    has_more: bool
    def __init__(self, videos: _Optional[_Iterable[_Union[Video, _Mapping]]] = ..., has_more: _Optional[bool] = ...) -> None: ...

class CancelVideoRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class WatchVideoRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class DownloadVideoRequest(_message.Message):
    __slots__ = ("id", "variant", "offset")
    ID_FIELD_NUMBER: _ClassVar[int]
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    id: str
    variant: str
    offset: int
    def __init__(self, id: _Optional[str] = ..., variant: _Optional[str] = ..., offset: _Optional[int] = ...) -> None: ...

class DownloadVideoResponse(_message.Message):
    __slots__ = ("content", "data")
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    content: Content
    data: bytes
    def __init__(self, content: _Optional[_Union[Content, _Mapping]] = ..., data: _Optional[bytes] = ...) -> None: ...

class Content(_message.Message):
    __slots__ = ("content_type", "size_bytes", "etag", "filename")
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    FILENAME_FIELD_NUMBER: _ClassVar[int]
    content_type: str
    size_bytes: int
    etag: str
    filename: str
    def __init__(self, content_type: _Optional[str] = ..., size_bytes: _Optional[int] = ..., etag: _Optional[str] = ..., filename: _Optional[str] = ...) -> None: ...

class Video(_message.Message):
    __slots__ = ("id", "object", "status", "x_state", "progress", "created_at", "started_at", "completed_at", "expires_at", "model", "prompt", "negative_prompt", "seconds", "size", "quality", "error", "remixed_from_video_id", "fps", "num_frames", "duration_s", "seed", "num_inference_steps", "guidance_scale", "guidance_scale_2", "flow_shift", "sampler", "queue_position", "eta_seconds", "stage", "current_step", "preview_step", "attempt", "stage_durations", "inference_time_s", "peak_memory_mb", "num_outputs", "url", "usage", "cached", "warnings", "metadata", "variation_seed", "variation_strength", "degraded_from", "has_draft", "loras", "vae", "step_cache", "original_prompt", "rewriter", "decode", "precision", "placement", "has_start_image")
    class StageDurationsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    OBJECT_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    X_STATE_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_AT_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    NEGATIVE_PROMPT_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    QUALITY_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    REMIXED_FROM_VIDEO_ID_FIELD_NUMBER: _ClassVar[int]
    FPS_FIELD_NUMBER: _ClassVar[int]
    NUM_FRAMES_FIELD_NUMBER: _ClassVar[int]
    DURATION_S_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    NUM_INFERENCE_STEPS_FIELD_NUMBER: _ClassVar[int]
    GUIDANCE_SCALE_FIELD_NUMBER: _ClassVar[int]
    GUIDANCE_SCALE_2_FIELD_NUMBER: _ClassVar[int]
    FLOW_SHIFT_FIELD_NUMBER: _ClassVar[int]
    SAMPLER_FIELD_NUMBER: _ClassVar[int]
    QUEUE_POSITION_FIELD_NUMBER: _ClassVar[int]
    ETA_SECONDS_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    CURRENT_STEP_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_STEP_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    STAGE_DURATIONS_FIELD_NUMBER: _ClassVar[int]
    INFERENCE_TIME_S_FIELD_NUMBER: _ClassVar[int]
    PEAK_MEMORY_MB_FIELD_NUMBER: _ClassVar[int]
    NUM_OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    CACHED_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    VARIATION_SEED_FIELD_NUMBER: _ClassVar[int]
    VARIATION_STRENGTH_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FROM_FIELD_NUMBER: _ClassVar[int]
    HAS_DRAFT_FIELD_NUMBER: _ClassVar[int]
    LORAS_FIELD_NUMBER: _ClassVar[int]
    VAE_FIELD_NUMBER: _ClassVar[int]
    STEP_CACHE_FIELD_NUMBER: _ClassVar[int]
    ORIGINAL_PROMPT_FIELD_NUMBER: _ClassVar[int]
    REWRITER_FIELD_NUMBER: _ClassVar[int]
    DECODE_FIELD_NUMBER: _ClassVar[int]
    PRECISION_FIELD_NUMBER: _ClassVar[int]
    PLACEMENT_FIELD_NUMBER: _ClassVar[int]
    HAS_START_IMAGE_FIELD_NUMBER: _ClassVar[int]
    id: str
    object: str
    status: str
    x_state: str
    progress: int
    created_at: int
    started_at: int
    completed_at: int
    expires_at: int
    model: str
    prompt: str
    negative_prompt: str
    seconds: str
    size: str
    quality: str
    error: VideoError
    remixed_from_video_id: str
    fps: int
    num_frames: int
    duration_s: float
    seed: int
    num_inference_steps: int
    guidance_scale: float
    guidance_scale_2: float
    flow_shift: float
    sampler: str
    queue_position: int
    eta_seconds: float
    stage: str
    current_step: int
    preview_step: int
    attempt: int
    stage_durations: _containers.ScalarMap[str, float]
    inference_time_s: float
    peak_memory_mb: float
    num_outputs: int
    url: str
    usage: Usage
    cached: bool
    warnings: _containers.RepeatedScalarFieldContainer[str]
    metadata: _struct_pb2.Struct
    variation_seed: int
    variation_strength: float
    degraded_from: _struct_pb2.Struct
    has_draft: bool
    loras: _containers.RepeatedCompositeFieldContainer[Lora]
    vae: str
    step_cache: str
    original_prompt: str
    rewriter: str
    decode: str
    precision: str
    placement: str
    has_start_image: bool
    def __init__(self, id: _Optional[str] = ..., object: _Optional[str] = ..., status: _Optional[str] = ..., x_state: _Optional[str] = ..., progress: _Optional[int] = ..., created_at: _Optional[int] = ..., started_at: _Optional[int] = ..., completed_at: _Optional[int] = ..., expires_at: _Optional[int] = ..., model: _Optional[str] = ..., prompt: _Optional[str] = ..., negative_prompt: _Optional[str] = ..., seconds: _Optional[str] = ..., size: _Optional[str] = ..., quality: _Optional[str] = ..., error: _Optional[_Union[VideoError, _Mapping]] = ..., remixed_from_video_id: _Optional[str] = ..., fps: _Optional[int] = ..., num_frames: _Optional[int] = ..., duration_s: _Optional[float] = ..., seed: _Optional[int] = ..., num_inference_steps: _Optional[int] = ..., guidance_scale: _Optional[float] = ..., guidance_scale_2: _Optional[float] = ..., flow_shift: _Optional[float] = ..., sampler: _Optional[str] = ..., queue_position: _Optional[int] = ..., eta_seconds: _Optional[float] = ..., stage: _Optional[str] = ..., current_step: _Optional[int] = ..., preview_step: _Optional[int] = ..., attempt: _Optional[int] = ..., stage_durations: _Optional[_Mapping[str, float]] = ..., inference_time_s: _Optional[float] = ..., peak_memory_mb: _Optional[float] = ..., num_outputs: _Optional[int] = ..., url: _Optional[str] = ..., usage: _Optional[_Union[Usage, _Mapping]] = ..., cached: _Optional[bool] = ..., warnings: _Optional[_Iterable[str]] = ..., metadata: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., variation_seed: _Optional[int] = ..., variation_strength: _Optional[float] = ..., degraded_from: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., has_draft: _Optional[bool] = ..., loras: _Optional[_Iterable[_Union[Lora, _Mapping]]] = ..., vae: _Optional[str] = ..., step_cache: _Optional[str] = ..., original_prompt: _Optional[str] = ..., rewriter: _Optional[str] = ..., decode: _Optional[str] = ..., precision: _Optional[str] = ..., placement: _Optional[str] = ..., has_start_image: _Optional[bool] = ...) -> None: ...

class Lora(_message.Message):
    __slots__ = ("name", "scale")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SCALE_FIELD_NUMBER: _ClassVar[int]
    name: str
    scale: float
    def __init__(self, name: _Optional[str] = ..., scale: _Optional[float] = ...) -> None: ...

class VideoError(_message.Message):
    __slots__ = ("code", "message")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    code: str
    message: str
    def __init__(self, code: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class Usage(_message.Message):
    __slots__ = ("duration_seconds",)
    DURATION_SECONDS_FIELD_NUMBER: _ClassVar[int]
    duration_seconds: float
    def __init__(self, duration_seconds: _Optional[float] = ...) -> None: ...
