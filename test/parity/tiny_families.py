"""The small random models of every family: their configs, their weights, and the folders they are saved in."""

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import torch
import transformers
from transformers import AutoModelForCausalLM, PreTrainedModel

FAMILIES = Path(__file__).resolve().parent.parent / "fixtures" / "parity" / "families"

VOCABULARY = 72
COMMON = dict(vocab_size=VOCABULARY, bos_token_id=0, eos_token_id=1, pad_token_id=None, max_position_embeddings=64)
LLAMA_LIKE = dict(
    **COMMON,
    hidden_size=24,
    intermediate_size=40,
    num_hidden_layers=3,
    num_attention_heads=4,
    num_key_value_heads=2,
    tie_word_embeddings=False,
)

TWO_LAYERS = {**LLAMA_LIKE, "num_hidden_layers": 2}


@dataclass(frozen=True)
class Tiny:
    """One fixture: a transformers config class, its arguments, and how the folder is written."""

    config: str
    arguments: dict
    # Layers of which every hook is recorded.
    layers: tuple[int, ...] = (1,)
    # How the weights are stored; half of them are small files, and what most checkpoints are.
    dtype: torch.dtype = torch.bfloat16
    max_shard_size: str = "5GB"
    # Writes rotary settings as transformers did before 5.0 and as most public checkpoints still have them.
    old_config: bool = False
    # Whether TransformerLens computes this variant; if not, hooks come from transformers' modules.
    hooked: bool = True
    # Entries put into config.json as they stand, such as settings that have to be ignored.
    also: dict = field(default_factory=dict)


TINY: dict[str, Tiny] = {
    "gpt2": Tiny(
        "GPT2Config",
        dict(
            vocab_size=VOCABULARY,
            n_positions=64,
            n_embd=20,
            n_layer=3,
            n_head=4,
            bos_token_id=0,
            eos_token_id=1,
            scale_attn_by_inverse_layer_idx=True,
        ),
        dtype=torch.float32,
    ),
    "gpt_neo": Tiny(
        "GPTNeoConfig",
        dict(
            vocab_size=VOCABULARY,
            max_position_embeddings=64,
            hidden_size=16,
            num_layers=4,
            num_heads=4,
            attention_types=[[["global", "local"], 2]],
            window_size=5,
            bos_token_id=0,
            eos_token_id=1,
        ),
        layers=(0, 1),
        dtype=torch.float16,
    ),
    "gpt_neox": Tiny(
        "GPTNeoXConfig",
        dict(
            **COMMON,
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=3,
            num_attention_heads=4,
            rope_parameters=dict(rope_type="default", rope_theta=10000.0, partial_rotary_factor=0.5),
            use_parallel_residual=True,
        ),
        dtype=torch.float16,
        old_config=True,
    ),
    "gpt_neox-sequential": Tiny(
        "GPTNeoXConfig",
        dict(
            **COMMON,
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            rope_parameters=dict(rope_type="default", rope_theta=500.0, partial_rotary_factor=0.75),
            use_parallel_residual=False,
            hidden_act="gelu_fast",
        ),
    ),
    "opt": Tiny(
        "OPTConfig",
        {
            **COMMON,
            **dict(
                pad_token_id=1, hidden_size=24, ffn_dim=40, num_hidden_layers=3, num_attention_heads=4, word_embed_proj_dim=24
            ),
        },
        dtype=torch.float32,
    ),
    "llama": Tiny(
        "LlamaConfig",
        dict(
            **{**LLAMA_LIKE, "max_position_embeddings": 256},
            rope_parameters=dict(
                rope_type="llama3",
                rope_theta=500.0,
                factor=4.0,
                low_freq_factor=1.0,
                high_freq_factor=4.0,
                original_max_position_embeddings=64,
            ),
        ),
        dtype=torch.float32,
        old_config=True,
    ),
    "llama-linear": Tiny(
        "LlamaConfig",
        {
            **LLAMA_LIKE,
            **dict(
                tie_word_embeddings=True,
                num_key_value_heads=4,
                rope_parameters=dict(rope_type="linear", rope_theta=500.0, factor=2.5),
            ),
        },
        old_config=True,
    ),
    "llama-yarn": Tiny(
        "LlamaConfig",
        {
            **LLAMA_LIKE,
            **dict(
                num_key_value_heads=1,
                rope_parameters=dict(
                    rope_type="yarn",
                    rope_theta=500.0,
                    factor=4.0,
                    original_max_position_embeddings=16,
                    beta_fast=2.0,
                    beta_slow=0.05,
                ),
            ),
        },
    ),
    "llama-biased": Tiny(
        "LlamaConfig",
        {**TWO_LAYERS, **dict(attention_bias=True, mlp_bias=True, rope_parameters=dict(rope_type="default", rope_theta=1000.0))},
        hooked=False,
    ),
    "mistral": Tiny(
        "MistralConfig",
        dict(**LLAMA_LIKE, head_dim=8, sliding_window=5, rope_parameters=dict(rope_type="default", rope_theta=1000.0)),
        max_shard_size="10KB",
        old_config=True,
    ),
    "qwen2": Tiny(
        "Qwen2Config",
        dict(**{**LLAMA_LIKE, "tie_word_embeddings": True}, rope_parameters=dict(rope_type="default", rope_theta=1000.0)),
        old_config=True,
        also=dict(sliding_window=5, use_sliding_window=False, max_window_layers=1),
    ),
    "qwen2-windowed": Tiny(
        "Qwen2Config",
        dict(
            **TWO_LAYERS,
            use_sliding_window=True,
            sliding_window=5,
            max_window_layers=1,
            rope_parameters=dict(rope_type="default", rope_theta=1000.0),
        ),
        hooked=False,
    ),
    "qwen3": Tiny(
        "Qwen3Config",
        dict(**LLAMA_LIKE, head_dim=8, rope_parameters=dict(rope_type="default", rope_theta=1000.0)),
    ),
    "gemma": Tiny(
        "GemmaConfig",
        dict(
            **{**LLAMA_LIKE, "tie_word_embeddings": True, "num_key_value_heads": 1},
            head_dim=8,
            rope_parameters=dict(rope_type="default", rope_theta=1000.0),
        ),
        old_config=True,
    ),
    "gemma2": Tiny(
        "Gemma2Config",
        dict(
            **{**LLAMA_LIKE, "tie_word_embeddings": True, "num_hidden_layers": 4, "hidden_size": 20, "intermediate_size": 32},
            head_dim=6,
            query_pre_attn_scalar=3,
            sliding_window=5,
            attn_logit_softcapping=2.0,
            final_logit_softcapping=3.0,
            rope_parameters=dict(rope_type="default", rope_theta=1000.0),
        ),
        layers=(0, 1),
        old_config=True,
    ),
    "gemma3": Tiny(
        "Gemma3TextConfig",
        dict(
            **{**LLAMA_LIKE, "tie_word_embeddings": True, "num_hidden_layers": 4, "hidden_size": 20, "intermediate_size": 32},
            head_dim=6,
            query_pre_attn_scalar=3,
            sliding_window=5,
            layer_types=["sliding_attention", "sliding_attention", "full_attention", "sliding_attention"],
            rope_parameters=dict(
                sliding_attention=dict(rope_type="default", rope_theta=100.0),
                full_attention=dict(rope_type="linear", rope_theta=5000.0, factor=3.0),
            ),
        ),
        layers=(1, 2),
        old_config=True,
    ),
    "phi": Tiny(
        "PhiConfig",
        dict(
            **COMMON,
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            rope_parameters=dict(rope_type="default", rope_theta=1000.0, partial_rotary_factor=0.5),
        ),
        old_config=True,
    ),
    "phi3": Tiny(
        "Phi3Config",
        dict(
            **LLAMA_LIKE,
            original_max_position_embeddings=64,
            sliding_window=6,
            rope_parameters=dict(rope_type="default", rope_theta=1000.0),
        ),
        max_shard_size="20KB",
    ),
    "phi3-longrope": Tiny(
        "Phi3Config",
        dict(
            **{**TWO_LAYERS, "hidden_size": 32},
            original_max_position_embeddings=32,
            rope_parameters=dict(
                rope_type="longrope",
                rope_theta=1000.0,
                partial_rotary_factor=0.75,
                short_factor=[1.0, 1.5, 2.0],
                long_factor=[1.5, 3.0, 8.0],
                original_max_position_embeddings=32,
            ),
        ),
        hooked=False,
        old_config=True,
    ),
    "olmo": Tiny(
        "OlmoConfig",
        dict(
            **{**LLAMA_LIKE, "num_key_value_heads": 4},
            clip_qkv=1.0,
            rope_parameters=dict(rope_type="default", rope_theta=1000.0),
        ),
        old_config=True,
    ),
    "olmo2": Tiny(
        "Olmo2Config",
        dict(**{**LLAMA_LIKE, "num_key_value_heads": 4}, rope_parameters=dict(rope_type="default", rope_theta=1000.0)),
    ),
    "olmo2-grouped": Tiny(
        "Olmo2Config",
        dict(**TWO_LAYERS, rope_parameters=dict(rope_type="default", rope_theta=1000.0)),
        hooked=False,
    ),
}


PLAIN_ROPE = dict(rope_parameters=dict(rope_type="default"))
OTHER_BASE = dict(rope_parameters=dict(rope_theta=20.0))
# Settings that a reader might overlook; the recorder makes sure that each of them shows in the logits.
OTHERWISE: dict[str, list[dict]] = {
    "gpt2": [dict(scale_attn_by_inverse_layer_idx=False), dict(activation_function="gelu")],
    "gpt_neo": [dict(window_size=64), dict(activation_function="relu")],
    "gpt_neox": [OTHER_BASE, dict(rope_parameters=dict(partial_rotary_factor=1.0)), dict(use_parallel_residual=False)],
    "gpt_neox-sequential": [OTHER_BASE, dict(use_parallel_residual=True), dict(hidden_act="relu")],
    "opt": [dict(activation_function="gelu")],
    "llama": [OTHER_BASE, PLAIN_ROPE, dict(rope_parameters=dict(high_freq_factor=2.0))],
    "llama-linear": [OTHER_BASE, PLAIN_ROPE],
    "llama-yarn": [OTHER_BASE, PLAIN_ROPE, dict(rope_parameters=dict(beta_fast=0.3)), dict(rope_parameters=dict(beta_slow=0.5)), dict(rope_parameters=dict(rope_type="linear"))],
    "llama-biased": [OTHER_BASE],
    "mistral": [OTHER_BASE, dict(sliding_window=None), dict(sliding_window=6)],
    "qwen2": [OTHER_BASE, dict(use_sliding_window=True, sliding_window=5, max_window_layers=1)],
    "qwen2-windowed": [dict(use_sliding_window=False), dict(max_window_layers=0), dict(sliding_window=6)],
    "qwen3": [OTHER_BASE],
    "gemma": [OTHER_BASE, dict(hidden_act="relu")],
    "gemma2": [
        OTHER_BASE,
        dict(sliding_window=6),
        dict(layer_types=["full_attention", "sliding_attention"] * 2),
        dict(query_pre_attn_scalar=6),
        dict(attn_logit_softcapping=None),
        dict(final_logit_softcapping=None),
    ],
    "gemma3": [
        dict(sliding_window=6),
        dict(layer_types=["sliding_attention"] * 3 + ["full_attention"]),
        dict(query_pre_attn_scalar=6),
        dict(rope_parameters=dict(full_attention=dict(rope_type="default", rope_theta=5000.0))),
        dict(rope_parameters=dict(full_attention=dict(rope_type="linear", rope_theta=100.0, factor=3.0))),
        dict(rope_parameters=dict(sliding_attention=dict(rope_type="default", rope_theta=5000.0))),
    ],
    "phi": [OTHER_BASE, dict(rope_parameters=dict(partial_rotary_factor=1.0)), dict(hidden_act="relu")],
    "phi3": [OTHER_BASE, dict(sliding_window=None), dict(sliding_window=7)],
    "phi3-longrope": [
        OTHER_BASE,
        dict(rope_parameters=dict(short_factor=[1.0, 1.0, 1.0])),
        dict(rope_parameters=dict(partial_rotary_factor=0.5, short_factor=[1.0, 1.5], long_factor=[1.5, 3.0])),
        dict(max_position_embeddings=32),
    ],
    "olmo": [OTHER_BASE, dict(clip_qkv=None)],
    "olmo2": [OTHER_BASE, dict(rms_norm_eps=1e-2)],
    "olmo2-grouped": [OTHER_BASE],
}


def random_model(name: str, seed: int) -> PreTrainedModel:
    """The model with every parameter drawn anew, so that each gain, bias and offset matters."""
    tiny = TINY[name]
    config = getattr(transformers, tiny.config)(**tiny.arguments)
    config.use_cache = True
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager", dtype=torch.float32)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(drawn(parameter_name, noise, name))
    return model.eval()


def read_otherwise(model: PreTrainedModel, name: str):
    """The same weights with one setting of the config at another value at a time: (setting, model)."""
    for change in OTHERWISE.get(name, []):
        arguments = {**TINY[name].arguments, **change}
        rope = arguments.get("rope_parameters")
        if rope and "rope_parameters" in change:
            arguments["rope_parameters"] = {**TINY[name].arguments["rope_parameters"], **change["rope_parameters"]}
        config = getattr(transformers, TINY[name].config)(**arguments)
        other = AutoModelForCausalLM.from_config(config, attn_implementation="eager", dtype=torch.float32)
        other.load_state_dict(model.state_dict())
        yield json.dumps(change), other.eval()


def drawn(parameter: str, noise: torch.Tensor, family: str) -> torch.Tensor:
    """Scales standard normal `noise` so that activations stay near 1, attention is far from even and logits spread."""
    is_norm = any(part in parameter for part in ("norm", "ln_", "layer_norm"))
    if parameter.endswith("bias"):
        return 0.3 * noise
    if is_norm:
        return 0.3 * noise if family.startswith("gemma") else 1 + 0.3 * noise
    if any(part in parameter for part in ("embed", "wte", "wpe")):
        return 0.5 * noise
    # GPT-2 stores [in, out], everything else [out, in].
    fan_in = noise.shape[0] if family == "gpt2" and "lm_head" not in parameter else noise.shape[1]
    is_attention_input = any(part in parameter for part in ("q_proj", "k_proj", "qkv", "c_attn", "query_key_value"))
    gain = 1.4 if is_attention_input else 1.0
    # GPT-Neo does not divide its attention scores by √d_head.
    if family == "gpt_neo" and is_attention_input:
        gain = 0.9
    return gain * noise / fan_in**0.5


def save_model(model: PreTrainedModel, name: str) -> Path:
    """Writes `config.json` and the weights, in the dtype and the shards that the fixture wants."""
    tiny, folder = TINY[name], FAMILIES / name
    shutil.rmtree(folder, ignore_errors=True)
    model.to(tiny.dtype).save_pretrained(folder, max_shard_size=tiny.max_shard_size)
    (folder / "generation_config.json").unlink(missing_ok=True)
    path = folder / "config.json"
    config = json.loads(path.read_text())
    if tiny.old_config:
        config = with_old_rotary_settings(config)
    path.write_text(json.dumps({**config, **tiny.also}, indent=2) + "\n")
    for file in folder.iterdir():
        file.chmod(0o644)
    return folder


def with_old_rotary_settings(config: dict) -> dict:
    """`rope_parameters` and `dtype` spelled as before transformers 5.0."""
    old = {key: value for key, value in config.items() if key not in ("rope_parameters", "dtype")}
    old["torch_dtype"] = config["dtype"]
    old.pop("_sliding_window_pattern", None)
    rope = config["rope_parameters"]
    if "full_attention" in rope:
        full, local = rope["full_attention"], rope["sliding_attention"]
        pattern = old.pop("layer_types").index("full_attention") + 1
        return {
            **old,
            "rope_theta": full["rope_theta"],
            "rope_local_base_freq": local["rope_theta"],
            "rope_scaling": {"rope_type": full["rope_type"], "factor": full["factor"]},
            "sliding_window_pattern": pattern,
        }
    old.pop("layer_types", None)
    partial = rope.get("partial_rotary_factor")
    if config["model_type"] == "gpt_neox":
        return {**old, "rotary_emb_base": rope["rope_theta"], "rotary_pct": partial}
    old["rope_theta"] = rope["rope_theta"]
    if partial is not None:
        old["partial_rotary_factor"] = partial
    if rope["rope_type"] == "default":
        return {**old, "rope_scaling": None}
    scaling = {key: value for key, value in rope.items() if key not in ("rope_theta", "partial_rotary_factor")}
    return {**old, "rope_scaling": scaling}


def load_model(folder: Path) -> PreTrainedModel:
    """The saved model as transformers reads it: weights widened to float32, plain (eager) attention."""
    return AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()
