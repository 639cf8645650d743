"""Writes small random models of every architecture as llama.cpp's converter does, and records what they are.

    pip install -r test/parity/requirements.txt
    python test/parity/record_gguf_models.py

For each architecture: a GGUF file with float32 weights (names by `gguf.get_tensor_name_map`, keys by `GGUFWriter`,
layouts as llama.cpp's convert_hf_to_gguf.py changes them), the SHA-256 of every weight as Hugging Face names and stores
it, and the last position's logits of the Hugging Face model. Where transformers reads such files itself, its reading
is held against the same logits here. Writes test/fixtures/parity/gguf/models.json and models/*.gguf.
"""

import hashlib
import json
import math
from importlib.metadata import version
from pathlib import Path

import gguf
import numpy as np
import torch
from transformers import AutoConfig, AutoModelForCausalLM

FOLDER = Path(__file__).parent.parent / "fixtures/parity/gguf"
TOKENS = [3, 17, 5, 29, 11, 2, 30, 8, 21, 14]
VOCAB = 36
BASE = dict(
    vocab_size=VOCAB,
    hidden_size=16,
    intermediate_size=24,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=64,
    bos_token_id=1,
    eos_token_id=2,
    pad_token_id=0,
)
LLAMA3 = dict(
    rope_type="llama3",
    factor=8.0,
    low_freq_factor=1.0,
    high_freq_factor=4.0,
    original_max_position_embeddings=8192,
    rope_theta=500000.0,
)

MODELS = {
    "llama": ("llama", BASE | dict(head_dim=16, tie_word_embeddings=False, rope_parameters=LLAMA3)),
    "llama-q8_0": (
        "llama",
        BASE | dict(hidden_size=32, intermediate_size=32, num_hidden_layers=1, tie_word_embeddings=True),
    ),
    "qwen2": ("qwen2", BASE | dict(tie_word_embeddings=True)),
    "qwen3": ("qwen3", BASE | dict(head_dim=8, tie_word_embeddings=True)),
    "gemma": ("gemma", BASE | dict(head_dim=8)),
    "gemma2": ("gemma2", BASE | dict(head_dim=8, query_pre_attn_scalar=8, sliding_window=4)),
    "gemma3": (
        "gemma3_text",
        BASE
        | dict(
            hidden_size=8,
            intermediate_size=8,
            num_hidden_layers=7,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=4,
            query_pre_attn_scalar=4,
            sliding_window=4,
            rope_parameters={
                "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1000000.0},
                "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
            },
        ),
    ),
    "phi2": ("phi", BASE | dict(num_key_value_heads=4, partial_rotary_factor=0.5, hidden_size=32)),
    "phi3": ("phi3", BASE | dict(tie_word_embeddings=False, sliding_window=6)),
    "gpt2": ("gpt2", dict(vocab_size=VOCAB, n_embd=16, n_layer=2, n_head=4, n_positions=64, n_inner=24)),
    "gptneox": ("gpt_neox", BASE | dict(hidden_size=32, num_key_value_heads=None, rotary_pct=0.25)),
    "olmo": ("olmo", BASE | dict(clip_qkv=0.75, tie_word_embeddings=True)),
    "olmo2": ("olmo2", BASE | dict(tie_word_embeddings=False)),
}
# Those that transformers reads from GGUF files whatever their size. For others it takes what the file does not say
# (head_dim, query_pre_attn_scalar, the padding token) from the config of the published model.
READ_BY_TRANSFORMERS = {"llama-q8_0", "qwen2"}


def make_model(kind: str, settings: dict) -> torch.nn.Module:
    torch.manual_seed(7)
    config = AutoConfig.for_model(kind, **{k: v for k, v in settings.items() if v is not None})
    config._attn_implementation = "eager"
    model = AutoModelForCausalLM.from_config(config).float().eval()
    for parameter in model.parameters():
        # Multiples of 1/256 stay exact when one is added and taken away again.
        parameter.data = torch.round(torch.randn_like(parameter) * 0.3 * 256) / 256
        if parameter.dim() == 1:
            parameter.data += 0.5
    return model


def permute(weights: np.ndarray, heads: int) -> np.ndarray:
    """Rows of each head: from two halves to neighbouring pairs."""
    return weights.reshape(heads, 2, weights.shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(weights.shape)


def stored(name: str, weights: np.ndarray, config, hf_name: str) -> np.ndarray:
    heads = config.num_attention_heads
    if name in ("llama", "llama-q8_0", "olmo"):
        if ".q_proj." in hf_name:
            return permute(weights, heads)
        if ".k_proj." in hf_name:
            return permute(weights, config.num_key_value_heads)
    if name.startswith("gemma") and hf_name.endswith("norm.weight"):
        return weights + 1
    if name == "gpt2" and any(part in hf_name for part in ("c_attn.weight", "c_proj.weight", "c_fc.weight")):
        return weights.T
    if name == "gptneox" and "query_key_value" in hf_name:
        size = config.hidden_size // heads
        rest = weights.shape[1:]
        return weights.reshape(heads, 3, size, *rest).swapaxes(0, 1).reshape(weights.shape)
    return weights


def add_keys(writer: gguf.GGUFWriter, name: str, config) -> None:
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_head_count(config.num_attention_heads)
    writer.add_vocab_size(config.vocab_size)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    if name == "gpt2":
        writer.add_feed_forward_length(config.n_inner)
        writer.add_layer_norm_eps(config.layer_norm_epsilon)
        return
    writer.add_feed_forward_length(config.intermediate_size)
    if name == "gptneox":
        writer.add_rope_dimension_count(int(0.25 * head))
        writer.add_parallel_residual(config.use_parallel_residual)
        writer.add_layer_norm_eps(config.layer_norm_eps)
        return
    writer.add_head_count_kv(config.num_key_value_heads)
    if name == "phi2":
        writer.add_rope_dimension_count(int(0.5 * head))
        writer.add_layer_norm_eps(config.layer_norm_eps)
        return
    if name == "olmo":
        writer.add_layer_norm_eps(1e-5)
        writer.add_clamp_kqv(config.clip_qkv)
        return
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    if name in ("llama", "qwen3", "gemma", "gemma2", "gemma3"):
        writer.add_key_length(head)
        writer.add_value_length(head)
    else:
        writer.add_rope_dimension_count(head)
    if name in ("gemma2", "gemma3", "phi3"):
        writer.add_sliding_window(config.sliding_window)
    if name == "gemma2":
        writer.add_attn_logit_softcapping(config.attn_logit_softcapping)
        writer.add_final_logit_softcapping(config.final_logit_softcapping)
    rope = config.rope_parameters
    if name == "gemma3":
        writer.add_rope_freq_base(1000000.0)
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(8.0)
    else:
        writer.add_rope_freq_base(rope["rope_theta"])


def rope_factors(head: int) -> np.ndarray:
    factors = []
    low, high = 8192 / LLAMA3["low_freq_factor"], 8192 / LLAMA3["high_freq_factor"]
    for i in range(0, head, 2):
        wavelength = 2 * math.pi * LLAMA3["rope_theta"] ** (i / head)
        if wavelength < high:
            factors.append(1)
        elif wavelength > low:
            factors.append(LLAMA3["factor"])
        else:
            smooth = (8192 / wavelength - 1) / 3
            factors.append(1 / ((1 - smooth) / LLAMA3["factor"] + smooth))
    return np.array(factors, dtype=np.float32)


def write(name: str, model: torch.nn.Module, path: Path) -> dict:
    config = model.config
    architecture = name.split("-")[0]
    arch = next(key for key, value in gguf.MODEL_ARCH_NAMES.items() if value == architecture)
    names = gguf.get_tensor_name_map(arch, config.num_hidden_layers)
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name(f"tiny {name}")
    add_keys(writer, name, config)
    hashes = {}
    for hf_name, parameter in model.named_parameters():
        weights = parameter.detach().numpy()
        changed = np.ascontiguousarray(stored(name, weights, config, hf_name))
        target = names.get_name(hf_name, try_suffixes=(".weight", ".bias"))
        assert target is not None, hf_name
        if name == "llama-q8_0" and changed.ndim == 2:
            quantized = gguf.quantize(changed, gguf.GGMLQuantizationType.Q8_0)
            writer.add_tensor(target, quantized, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
            read = gguf.dequantize(quantized, gguf.GGMLQuantizationType.Q8_0)
            if ".q_proj." in hf_name or ".k_proj." in hf_name:
                heads = config.num_attention_heads if ".q_proj." in hf_name else config.num_key_value_heads
                weights = read.reshape(heads, -1, 2, read.shape[1]).swapaxes(1, 2).reshape(read.shape)
            else:
                weights = read
            parameter.data = torch.from_numpy(weights.copy())
        else:
            writer.add_tensor(target, changed)
        digest = hashlib.sha256(np.ascontiguousarray(weights, dtype="<f4").tobytes()).hexdigest()
        # What transformers calls lm_head in memory is stored under an older name.
        file_name = "embed_out.weight" if name == "gptneox" and hf_name == "lm_head.weight" else hf_name
        hashes[file_name] = {"shape": list(weights.shape), "sha256": digest[:16]}
    if name == "llama":
        writer.add_tensor("rope_freqs.weight", rope_factors(config.head_dim))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return hashes


def logits_of(model: torch.nn.Module) -> list[float]:
    with torch.no_grad():
        return model(torch.tensor([TOKENS])).logits[0, -1].tolist()


def main() -> None:
    (FOLDER / "models").mkdir(parents=True, exist_ok=True)
    entries = {}
    for name, (kind, settings) in MODELS.items():
        model = make_model(kind, settings)
        path = FOLDER / "models" / f"{name}.gguf"
        tensors = write(name, model, path)
        logits = logits_of(model)
        if name in READ_BY_TRANSFORMERS:
            read = AutoModelForCausalLM.from_pretrained(
                path.parent, gguf_file=path.name, dtype=torch.float32, attn_implementation="eager"
            ).eval()
            gap = max(abs(a - b) for a, b in zip(logits, logits_of(read)))
            print(f"{name}: transformers reads the file with a difference of {gap:.1e}")
        entries[name] = {"tensors": tensors, "logits": [round(x, 6) for x in logits]}
        print(name, path.stat().st_size)
    versions = {package: version(package) for package in ("gguf", "torch", "transformers")}
    content = {"versions": versions, "tokens": TOKENS, "models": entries}
    (FOLDER / "models.json").write_text(json.dumps(content) + "\n")


if __name__ == "__main__":
    main()
