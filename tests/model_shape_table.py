"""The shape of each model of the catalogue, typed in from the file that its row names."""

from dataclasses import replace

from model_shapes import DeltaNet, Encoder, Latent, Mamba, Shape

QWEN3_VOCABULARY = 151_936
QWEN_VOCABULARY_WIDE = 152_064
LLAMA3_VOCABULARY = 128_256


def qwen3_vision(out: int) -> int:
    """Return Qwen3-VL's encoder: 2 x 16 x 16 pixels a patch, 48 x 48 places, 4 mergers.

    Each merger joins 4 x 1152 and has two matrices; the last normalises 1152, the three of the
    deepstack 4608.
    """
    joined = 4 * 1152
    merger = joined * joined + joined + joined * out + out
    return Encoder(
        layers=27,
        hidden=1152,
        inner=4304,
        tables=3 * 2 * 16 * 16 * 1152 + 1152 + 48 * 48 * 1152,
        way_out=4 * merger + 2 * 1152 + 3 * 2 * joined,
    ).parameters


def qwen3_omni_audio(out: int) -> int:
    """Return Qwen3-Omni's audio encoder: three 3 x 3 convolutions of 480 channels in front.

    The 128 mel bins are halved three times, so 16 x 480 enter the first of the layers.
    """
    convolutions = (9 + 1) * 480 + 2 * (9 * 480 * 480 + 480) + 16 * 480 * 1280
    way_out = 2 * 1280 + 1280 * 1280 + 1280 + 1280 * out + out
    return Encoder(
        layers=32, hidden=1280, inner=5120, tables=convolutions, way_out=way_out
    ).parameters


def gemma3_vision(out: int) -> int:
    """Return SigLIP So400m/14 at 896 pixels (4096 places), its norm, and the projection."""
    return Encoder(
        layers=27,
        hidden=1152,
        inner=4304,
        tables=3 * 14 * 14 * 1152 + 1152 + 4096 * 1152,
        way_out=2 * 1152 + 1152 + 1152 * out,
    ).parameters


LLAMA4_VISION = Encoder(
    layers=34,
    hidden=1408,
    inner=5632,
    tables=3 * 14 * 14 * 1408 + (24 * 24 + 1) * 1408 + 1408 + 4 * 1408,
    way_out=5632 * 4096 + 4096 * 4096 + 4096 * 5120,
).parameters
"""Llama 4's encoder at 336 pixels, the adapter after the pixel shuffle, and the projection."""

RADIO_VISION = Encoder(
    layers=32,
    hidden=1280,
    inner=5120,
    tables=3 * 16 * 16 * 1280 + 128 * 128 * 1280,
    way_out=5120 + 5120 * 20480 + 20480 * 5120,
).parameters
"""C-RADIOv2-H and the projection of Nemotron Nano VL; 128 x 128 places is the encoder's table."""

NEMOTRON_MAMBA = {"heads": 128, "head_size": 80, "groups": 8, "state": 128}
DEEPSEEK_LATENT = Latent(q_rank=1536, kv_rank=512, rope=64, nope=128, value=128)


def llama(layers: int, hidden: int, inner: int, heads: int, *, tied: bool = False) -> Shape:
    """Return a Llama 3: 8 KV heads."""
    return Shape(
        layers=layers, hidden=hidden, inner=inner, heads=heads, kv_heads=8,
        head_size=64 if hidden == 2048 else 128, vocabulary=LLAMA3_VOCABULARY, tied=tied,
    )  # fmt: skip


def qwen3(
    layers: int, hidden: int, inner: int, heads: int, *, tied: bool = False, encoders: int = 0
) -> Shape:
    """Return a dense Qwen3: 8 KV heads, norms on queries and keys."""
    return Shape(
        layers=layers, hidden=hidden, inner=inner, heads=heads, kv_heads=8, tied=tied,
        head_norms=True, vocabulary=QWEN3_VOCABULARY, encoders=encoders,
    )  # fmt: skip


def qwen3_moe(
    layers: int,
    hidden: int,
    inner: int,
    heads: int,
    *,
    experts: int = 128,
    kv_heads: int = 4,
    encoders: int = 0,
) -> Shape:
    """Return a Qwen3 MoE: 8 experts a token in every layer, none shared."""
    return Shape(
        layers=layers, hidden=hidden, heads=heads, kv_heads=kv_heads, head_norms=True,
        vocabulary=QWEN3_VOCABULARY, experts=experts, topk=8, expert_inner=inner,
        moe_layers=layers, encoders=encoders,
    )  # fmt: skip


def gemma3(layers: int, hidden: int, inner: int, heads: int, kv_heads: int, size: int) -> Shape:
    """Return a Gemma 3: five layers with a window to one without, the last group cut short."""
    seen = hidden > 1152
    return Shape(
        layers=layers, hidden=hidden, inner=inner, heads=heads, kv_heads=kv_heads,
        head_size=size, vocabulary=262_144, tied=True, head_norms=True, norms=4,
        sliding_layers=layers - layers // 6, window=1024 if seen else 512,
        encoders=gemma3_vision(hidden) if seen else 0,
    )  # fmt: skip


def llama4(experts: int, moe_layers: int) -> Shape:
    """Return a Llama 4: one routed and one shared expert of 8192 in a layer with experts."""
    return Shape(
        layers=48, hidden=5120, inner=16384, heads=40, kv_heads=8, vocabulary=202_048,
        experts=experts, topk=1, expert_inner=8192, shared_inner=8192, moe_layers=moe_layers,
        encoders=LLAMA4_VISION,
    )  # fmt: skip


def gpt_oss(layers: int, experts: int) -> Shape:
    """Return a gpt-oss: every other layer with a window of 128; biases and sinks everywhere."""
    return Shape(
        layers=layers, hidden=2880, heads=64, kv_heads=8, head_size=64, vocabulary=201_088,
        experts=experts, topk=4, expert_inner=2880, expert_biases=3 * 2880,
        router_biases=experts, moe_layers=layers, biases=(64 + 2 * 8) * 64 + 2880 + 64,
        sliding_layers=layers // 2, window=128,
    )  # fmt: skip


def deepseek(layers: int, *, heads: int, experts: int, dense: int, vocabulary: int) -> Shape:
    """Return a DeepSeek-V3 (or Kimi K2): latent attention, one shared expert, first dense."""
    return Shape(
        layers=layers, hidden=7168, inner=18432, heads=heads, kv_heads=1,
        vocabulary=vocabulary, experts=experts, topk=8, expert_inner=2048, shared_inner=2048,
        moe_layers=layers - dense, router_biases=experts, latent=DEEPSEEK_LATENT,
    )  # fmt: skip


def nemotron(mamba: int, attention: int, perceptrons: int, hidden: int, inner: int) -> Shape:
    """Return a Nemotron Nano 2: each layer is a Mamba, an attention or a perceptron."""
    return Shape(
        layers=mamba + attention + perceptrons, hidden=hidden, inner=inner, heads=40,
        kv_heads=8, vocabulary=131_072, norms=1, matrices=2, attention_layers=attention,
        perceptron_layers=perceptrons, mamba=Mamba(layers=mamba, **NEMOTRON_MAMBA),
    )  # fmt: skip


LLAMA_8B = llama(32, 4096, 14336, 32)
LLAMA_70B = llama(80, 8192, 28672, 64)
LLAMA_405B = llama(126, 16384, 53248, 128)
QWEN3_30B = (48, 2048, 768, 32)
QWEN3_235B = (94, 4096, 1536, 64)
DEEPSEEK_V3 = deepseek(61, heads=128, experts=256, dense=3, vocabulary=129_280)
NEMOTRON_12B = nemotron(28, 6, 28, 5120, 20480)

MEASURED: dict[str, Shape] = {
    "llama-3.1-8b": LLAMA_8B,
    "llama-3.1-70b": LLAMA_70B,
    "llama-3.3-70b": LLAMA_70B,
    "llama-3.1-405b": LLAMA_405B,
    "llama-3.1-405b-fp8": LLAMA_405B,
    "llama-4-scout": llama4(16, 48),
    "llama-4-maverick-fp8": llama4(128, 24),
    "qwen3-8b": qwen3(36, 4096, 12288, 32),
    "qwen3-14b": qwen3(40, 5120, 17408, 40),
    "qwen3-32b": qwen3(64, 5120, 25600, 64),
    "qwen3-vl-8b": qwen3(36, 4096, 12288, 32, encoders=qwen3_vision(4096)),
    "qwen3-vl-32b": qwen3(64, 5120, 25600, 64, encoders=qwen3_vision(5120)),
    "qwen3-30b-a3b": qwen3_moe(*QWEN3_30B),
    "qwen3-30b-a3b-thinking": qwen3_moe(*QWEN3_30B),
    "qwen3-coder-30b-a3b": qwen3_moe(*QWEN3_30B),
    "qwen3-vl-30b-a3b": qwen3_moe(*QWEN3_30B, encoders=qwen3_vision(2048)),
    "qwen3-omni-30b-a3b": qwen3_moe(
        *QWEN3_30B, encoders=qwen3_vision(2048) + qwen3_omni_audio(2048)
    ),
    "qwen3-235b-a22b": qwen3_moe(*QWEN3_235B),
    "qwen3-235b-a22b-fp8": qwen3_moe(*QWEN3_235B),
    "qwen3-235b-a22b-thinking": qwen3_moe(*QWEN3_235B),
    "qwen3-235b-a22b-thinking-fp8": qwen3_moe(*QWEN3_235B),
    "qwen3-vl-235b-a22b": qwen3_moe(*QWEN3_235B, encoders=qwen3_vision(4096)),
    "qwen3-vl-235b-a22b-fp8": qwen3_moe(*QWEN3_235B, encoders=qwen3_vision(4096)),
    "qwen3-coder-480b-a35b": qwen3_moe(62, 6144, 2560, 96, experts=160, kv_heads=8),
    "qwen3-coder-480b-a35b-fp8": qwen3_moe(62, 6144, 2560, 96, experts=160, kv_heads=8),
    "gpt-oss-120b": gpt_oss(36, 128),
    "gpt-oss-20b": gpt_oss(24, 32),
    "deepseek-v3.1": DEEPSEEK_V3,
    "deepseek-r1": DEEPSEEK_V3,
    "gemma-3-12b": gemma3(48, 3840, 15360, 16, 8, 256),
    "gemma-3-27b": gemma3(62, 5376, 21504, 32, 16, 128),
    "nemotron-nano-9b-v2": nemotron(27, 4, 25, 4480, 15680),
    "nemotron-nano-12b-v2": NEMOTRON_12B,
    "nemotron-nano-12b-v2-vl": replace(NEMOTRON_12B, encoders=RADIO_VISION),
}
"""The models of the ML.ENERGY benchmark v3."""


def qwen2(
    layers: int, hidden: int, inner: int, heads: int, kv_heads: int, *, vocabulary: int
) -> Shape:
    """Return a Qwen2.5: biases on queries, keys and values; the small share their tables."""
    size = 64 if hidden == 896 else 128
    return Shape(
        layers=layers, hidden=hidden, inner=inner, heads=heads, kv_heads=kv_heads,
        head_size=size, vocabulary=vocabulary, tied=vocabulary == QWEN3_VOCABULARY,
        biases=(heads + 2 * kv_heads) * size,
    )  # fmt: skip


def gemma2(layers: int, hidden: int, inner: int, heads: int, kv_heads: int, size: int) -> Shape:
    """Return a Gemma 2: a window of 4096 in every other layer."""
    return Shape(
        layers=layers, hidden=hidden, inner=inner, heads=heads, kv_heads=kv_heads,
        head_size=size, vocabulary=256_000, tied=True, norms=4, sliding_layers=layers // 2,
        window=4096,
    )  # fmt: skip


def plain(
    layers: int,
    hidden: int,
    inner: int,
    heads: int,
    kv_heads: int,
    vocabulary: int,
    *,
    size: int = 128,
    tied: bool = False,
) -> Shape:
    """Return a dense transformer without biases: Mistral, Phi, SmolLM."""
    return Shape(
        layers=layers, hidden=hidden, inner=inner, heads=heads, kv_heads=kv_heads,
        head_size=size, vocabulary=vocabulary, tied=tied,
    )  # fmt: skip


def mixtral(layers: int, hidden: int, inner: int, heads: int, vocabulary: int) -> Shape:
    """Return a Mixtral: 2 of 8 experts in every layer."""
    return Shape(
        layers=layers, hidden=hidden, heads=heads, kv_heads=8, vocabulary=vocabulary,
        experts=8, topk=2, expert_inner=inner, moe_layers=layers,
    )  # fmt: skip


def glm4_moe(
    layers: int, hidden: int, inner: int, expert_inner: int, *, experts: int, dense: int
) -> Shape:
    """Return a GLM-4.5: 96 heads with biases, one shared expert, the first layers dense.

    The large one normalises its queries and keys.
    """
    return Shape(
        layers=layers, hidden=hidden, inner=inner, heads=96, kv_heads=8, vocabulary=151_552,
        head_norms=hidden == 5120, biases=(96 + 2 * 8) * 128, experts=experts, topk=8,
        expert_inner=expert_inner, shared_inner=expert_inner, moe_layers=layers - dense,
        router_biases=experts,
    )  # fmt: skip


def olmo2(layers: int, hidden: int, inner: int, heads: int) -> Shape:
    """Return an OLMo 2: every head its own cache, norms over all queries and all keys."""
    return replace(plain(layers, hidden, inner, heads, heads, 100_352), biases=2 * heads * 128)


MINIMAX_M2 = Shape(
    layers=62, hidden=3072, heads=48, kv_heads=8, vocabulary=200_064, experts=256, topk=8,
    expert_inner=1536, moe_layers=62, router_biases=256, biases=(48 + 8) * 128,
)  # fmt: skip
"""256 experts in every layer, none shared; norms over all queries and all keys of a layer."""

QWEN3_NEXT = Shape(
    layers=48, hidden=2048, heads=16, kv_heads=2, head_size=256, gated=True, head_norms=True,
    vocabulary=QWEN3_VOCABULARY, experts=512, topk=10, expert_inner=512, shared_inner=512,
    moe_layers=48, router_biases=2048, attention_layers=12,
    mamba=DeltaNet(layers=36, key_heads=16, value_heads=32, head_size=128),
)  # fmt: skip
"""Every fourth layer attends; the shared expert has a gate of one column."""

PHI_3_MEDIUM = plain(40, 5120, 17920, 40, 10, 32_064)

GEMMA3_PHI = {
    "gemma-3-1b": gemma3(26, 1152, 6912, 4, 1, 256),
    "gemma-3-4b": gemma3(34, 2560, 10240, 8, 4, 256),
    "phi-3-mini": replace(
        plain(32, 3072, 8192, 32, 32, 32_064, size=96), sliding_layers=32, window=2048
    ),
    "phi-3-medium": replace(PHI_3_MEDIUM, sliding_layers=40, window=2047),
    "phi-4": plain(40, 5120, 17920, 40, 10, 100_352),
    "phi-4-mini": plain(32, 3072, 8192, 24, 8, 200_064, tied=True),
}

OTHERS: dict[str, Shape] = {
    **GEMMA3_PHI,
    "llama-3.2-1b": llama(16, 2048, 8192, 32, tied=True),
    "llama-3.2-3b": llama(28, 3072, 8192, 24, tied=True),
    "llama-4-maverick": llama4(128, 24),
    "deepseek-r1-distill-llama-8b": LLAMA_8B,
    "deepseek-r1-distill-llama-70b": LLAMA_70B,
    "qwen2.5-0.5b": qwen2(24, 896, 4864, 14, 2, vocabulary=QWEN3_VOCABULARY),
    "qwen2.5-1.5b": qwen2(28, 1536, 8960, 12, 2, vocabulary=QWEN3_VOCABULARY),
    "qwen2.5-3b": qwen2(36, 2048, 11008, 16, 2, vocabulary=QWEN3_VOCABULARY),
    "qwen2.5-7b": qwen2(28, 3584, 18944, 28, 4, vocabulary=QWEN_VOCABULARY_WIDE),
    "qwen2.5-14b": qwen2(48, 5120, 13824, 40, 8, vocabulary=QWEN_VOCABULARY_WIDE),
    "qwen2.5-32b": qwen2(64, 5120, 27648, 40, 8, vocabulary=QWEN_VOCABULARY_WIDE),
    "qwen2.5-72b": qwen2(80, 8192, 29568, 64, 8, vocabulary=QWEN_VOCABULARY_WIDE),
    "qwq-32b": qwen2(64, 5120, 27648, 40, 8, vocabulary=QWEN_VOCABULARY_WIDE),
    "qwen3-0.6b": qwen3(28, 1024, 3072, 16, tied=True),
    "qwen3-1.7b": qwen3(28, 2048, 6144, 16, tied=True),
    "qwen3-4b": qwen3(36, 2560, 9728, 32, tied=True),
    "gemma-2-2b": gemma2(26, 2304, 9216, 8, 4, 256),
    "gemma-2-9b": gemma2(42, 3584, 14336, 16, 8, 256),
    "gemma-2-27b": gemma2(46, 4608, 36864, 32, 16, 128),
    "mistral-7b": plain(32, 4096, 14336, 32, 8, 32_768),
    "mistral-nemo-12b": plain(40, 5120, 14336, 32, 8, 131_072),
    "mistral-small-24b": plain(40, 5120, 32768, 32, 8, 131_072),
    "mistral-large": plain(88, 12288, 28672, 96, 8, 32_768),
    "mixtral-8x7b": mixtral(32, 4096, 14336, 32, 32_000),
    "mixtral-8x22b": mixtral(56, 6144, 16384, 48, 32_768),
    "smollm2-135m": plain(30, 576, 1536, 9, 3, 49_152, size=64, tied=True),
    "smollm2-360m": plain(32, 960, 2560, 15, 5, 49_152, size=64, tied=True),
    "smollm2-1.7b": plain(24, 2048, 8192, 32, 32, 49_152, size=64, tied=True),
    "olmo-2-7b": olmo2(32, 4096, 11008, 32),
    "olmo-2-13b": olmo2(40, 5120, 13824, 40),
    "deepseek-v3": DEEPSEEK_V3,
    "kimi-k2": deepseek(61, heads=64, experts=384, dense=1, vocabulary=163_840),
    "glm-4.5": glm4_moe(92, 5120, 12288, 1536, experts=160, dense=3),
    "glm-4.6": glm4_moe(92, 5120, 12288, 1536, experts=160, dense=3),
    "glm-4.5-air": glm4_moe(46, 4096, 10944, 1408, experts=128, dense=1),
    "minimax-m2": MINIMAX_M2,
    "qwen3-next-80b-a3b": QWEN3_NEXT,
}
"""Models without measurements of ours, a few of them in the shape of one with."""
