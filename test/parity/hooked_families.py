"""Loads the tiny models of every family into TransformerLens, with nothing folded, centred or put in front."""

import json
import tempfile
from pathlib import Path

import torch
from transformer_lens import HookedTransformer, HookedTransformerConfig
from transformer_lens import loading_from_pretrained as loading
from transformers import PreTrainedModel

NOT_CENTRED = dict(fold_ln=False, center_writing_weights=False, center_unembed=False, fold_value_biases=False)


def hooked_model(hf: PreTrainedModel) -> tuple[HookedTransformer, list[str]]:
    """The weights of `hf` in TransformerLens, and the settings that had to be given to its config by hand.

    TransformerLens converts configs of most architectures itself; those of Gemma and OLMo it keeps in a table of
    published sizes, that of Phi it looks for where transformers 5 no longer has it, and it does not carry over every
    rotary setting though its attention computes them.
    """
    architecture = hf.config.architectures[0]
    by_hand = tabled_config(hf.config, architecture)
    # A neutral path: TransformerLens guesses architectures from names.
    with tempfile.TemporaryDirectory(prefix="tiny-") as folder:
        write_config(hf.config, Path(folder))
        if by_hand is None:
            settings, added = loading.convert_hf_model_config(folder), missing_settings(hf.config)
        else:
            settings, added = {"original_architecture": architecture}, by_hand
        config = HookedTransformerConfig.from_dict(
            {
                **settings,
                **added,
                "tokenizer_name": None,
                "trust_remote_code": False,
                "init_weights": False,
                "default_prepend_bos": False,
                "device": "cpu",
                "dtype": torch.float32,
            }
        )
        model = HookedTransformer(config)
        state = loading.get_pretrained_state_dict(str(Path(folder)), config, hf)
    model.load_and_process_state_dict(state, **NOT_CENTRED)
    return model.eval(), sorted(added)


def write_config(config, folder: Path) -> None:
    """`config.json` with a key that TransformerLens asks for and transformers 5 no longer writes."""
    content = config.to_dict()
    if config.model_type == "gpt2":
        content["n_ctx"] = config.n_positions
    (folder / "config.json").write_text(json.dumps(content))


def missing_settings(config) -> dict:
    """What TransformerLens' attention can do but its conversion of the config leaves out."""
    added = {}
    rope = getattr(config, "rope_parameters", None) or {}
    if rope.get("rope_type") == "linear":
        added["rotary_scaling_factor"] = rope["factor"]
    if rope.get("rope_type") == "yarn":
        added |= {
            "use_yarn_rope": True,
            "yarn_factor": rope["factor"],
            "yarn_attention_factor": 0.1 * torch.tensor(rope["factor"]).log().item() + 1,
            "yarn_beta_fast": rope["beta_fast"],
            "yarn_beta_slow": rope["beta_slow"],
            "yarn_original_max_position_embeddings": rope["original_max_position_embeddings"],
        }
    if config.model_type == "gpt_neox":
        added["rotary_base"] = rope["rope_theta"]
    if config.model_type == "mistral":
        added["rotary_dim"] = config.head_dim
    return added


def tabled_config(config, architecture: str) -> dict | None:
    """Settings for the architectures whose config TransformerLens does not convert."""
    if not architecture.startswith(("Gemma", "Olmo", "PhiFor")):
        return None
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    rope = config.rope_parameters
    shared = {
        "d_model": config.hidden_size,
        "d_head": head,
        "n_heads": config.num_attention_heads,
        "d_mlp": config.intermediate_size,
        "n_layers": config.num_hidden_layers,
        "n_ctx": config.max_position_embeddings,
        "d_vocab": config.vocab_size,
        "eps": getattr(config, "rms_norm_eps", None) or getattr(config, "layer_norm_eps", 1e-5),
        "act_fn": getattr(config, "hidden_activation", None) or config.hidden_act,
        "normalization_type": "LN" if architecture.startswith(("OlmoFor", "PhiFor")) else "RMS",
        "positional_embedding_type": "rotary",
        "rotary_dim": head,
        "rotary_base": (rope.get("full_attention") or rope)["rope_theta"],
        "gated_mlp": True,
    }
    if architecture.startswith("PhiFor"):
        rotary = int(head * rope["partial_rotary_factor"])
        return {**shared, "gated_mlp": False, "parallel_attn_mlp": True, "rotary_dim": rotary}
    if architecture.startswith("OlmoFor"):
        return {**shared, "clip_qkv": config.clip_qkv}
    if architecture.startswith("Olmo"):
        return shared
    gemma = {**shared, "n_key_value_heads": config.num_key_value_heads, "final_rms": True}
    if architecture.startswith("GemmaFor"):
        return gemma
    gemma |= {
        "use_normalization_before_and_after": True,
        "attn_scale": config.query_pre_attn_scalar**0.5,
        "window_size": config.sliding_window,
        "use_local_attn": True,
        "attn_types": ["local" if kind == "sliding_attention" else "global" for kind in config.layer_types],
    }
    if architecture.startswith("Gemma2"):
        soft_caps = {
            "attn_scores_soft_cap": config.attn_logit_softcapping,
            "output_logits_soft_cap": config.final_logit_softcapping,
        }
        return {**gemma, **soft_caps}
    return {
        **gemma,
        "use_qk_norm": True,
        "rotary_base_local": rope["sliding_attention"]["rope_theta"],
        "rotary_scaling_factor": rope["full_attention"].get("factor", 1.0),
    }
