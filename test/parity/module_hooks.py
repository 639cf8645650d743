"""Hooks read off transformers' own modules, for variants that TransformerLens does not compute."""

import torch
from transformers import PreTrainedModel


def module_hooks(model: PreTrainedModel, ids: torch.Tensor) -> dict[str, torch.Tensor]:
    """The residual stream, what attention and MLP add to it, and the attention patterns of a Llama-like model."""
    found: dict[str, torch.Tensor] = {}
    handles = []

    def keep(name: str, module: torch.nn.Module) -> None:
        def hook(_module, _inputs, output) -> None:
            found[name] = output[0] if isinstance(output, tuple) else output

        handles.append(module.register_forward_hook(hook))

    # OLMo 2 has its norms behind the sublayers: what it adds to the stream is what they give.
    normed_after = model.config.model_type == "olmo2"
    keep("hook_embed", model.model.embed_tokens)
    for index, layer in enumerate(model.model.layers):
        keep(f"blocks.{index}.hook_attn_out", layer.post_attention_layernorm if normed_after else layer.self_attn)
        keep(f"blocks.{index}.hook_mlp_out", layer.post_feedforward_layernorm if normed_after else layer.mlp)
        keep(f"blocks.{index}.hook_resid_post", layer)
    keep("unembed.hook_in", model.model.norm)
    with torch.no_grad():
        patterns = model(ids, output_attentions=True).attentions
    for handle in handles:
        handle.remove()
    for index, pattern in enumerate(patterns):
        found[f"blocks.{index}.attn.hook_pattern"] = pattern
    return found
