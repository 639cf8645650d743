"""Records what transformers and TransformerLens compute for a tiny random model of every family."""

import json
import sys
from importlib.metadata import version

import torch
import transformers
from hooked_families import hooked_model
from module_hooks import module_hooks
from safetensors.torch import save_file
from tiny_families import FAMILIES, TINY, VOCABULARY, load_model, random_model, read_otherwise, save_model

POSITIONS = 13
# The recorded hooks are those of the first prompt.
HOOKED_ROW = slice(0, 1)
# Shapes that follow the implementation rather than the model.
LEFT_OUT = ("attn.q_norm.", "attn.k_norm.")
TOLERANCE = 1e-4


def tokens(seed: int) -> torch.Tensor:
    """Two prompts of random ids in which early tokens come back, longer than every sliding window."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(2, VOCABULARY, (2, POSITIONS), generator=generator)
    ids[:, 7:10] = ids[:, 1:4]
    return ids


def record_hooks(hooked, ids: torch.Tensor, layers: tuple[int, ...]) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Logits of all prompts; every hook of `layers` and of the ends, and each layer's residual stream, of the first."""
    with torch.no_grad():
        logits, cache = hooked.run_with_cache(ids)
    wanted = {}
    for name, value in cache.items():
        whole = not name.startswith("blocks.") or name.startswith(tuple(f"blocks.{layer}." for layer in layers))
        ends = name == "unembed.hook_out" or any(part in name for part in LEFT_OUT)
        if (whole and not ends) or name.endswith("hook_resid_post"):
            wanted[name] = value[HOOKED_ROW].float()
    return logits, wanted


def record_edited(hooked, ids: torch.Tensor) -> torch.Tensor:
    """Logits of the first prompt while four things are changed at once, one of them in a stored head of values."""

    def scale(name: str, factor: float, index: tuple):
        def change(value: torch.Tensor, hook) -> torch.Tensor:
            value = value.clone()
            value[index] *= factor
            return value

        return name, change

    every = slice(None)
    edits = [
        scale("blocks.0.attn.hook_v", 2.0, (every, every, 0)),
        scale("blocks.1.attn.hook_attn_scores", 0.5, (every, 0)),
        scale("blocks.1.attn.hook_z", 0.0, (every, every, 1)),
        scale("blocks.1.hook_mlp_out", 0.5, (every, slice(4, None))),
    ]
    with torch.no_grad():
        alone = [hooked.run_with_hooks(ids[HOOKED_ROW], fwd_hooks=[edit]) for edit in edits]
        plain = hooked(ids[HOOKED_ROW])
        assert min((one - plain).abs().max().item() for one in alone) > 1e-2
        return hooked.run_with_hooks(ids[HOOKED_ROW], fwd_hooks=edits)


def check_that_details_matter(name: str, model, ids: torch.Tensor, logits: torch.Tensor) -> None:
    """No parameter or setting may be overlooked unnoticed: disturbing any of them changes the logits."""
    generator = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            kept = parameter.clone()
            parameter.mul_(1 + 0.5 * torch.randn(parameter.shape, generator=generator))
            change = (model(ids).logits - logits).abs().max().item()
            parameter.copy_(kept)
            # A bias of the keys adds the same to all scores of a query, unless rotation follows.
            inert = name in ("gpt_neo", "opt") and "k_proj.bias" in parameter_name
            assert inert or change > 1e-3, f"{name}: {parameter_name} changes nothing ({change:.1e})"
        for setting, other in read_otherwise(model, name):
            change = (other(ids).logits - logits).abs().max().item()
            assert change > 5e-4, f"{name}: {setting} changes nothing ({change:.1e})"


def from_transformer_lens(name: str, model, ids: torch.Tensor, logits: torch.Tensor) -> tuple[dict, dict]:
    """Hooks and edited logits, once TransformerLens has shown that it computes the same logits; and what to say of them."""
    hooked, by_hand = hooked_model(model)
    hooked_logits, hooks = record_hooks(hooked, ids, TINY[name].layers)
    gap = (hooked_logits - logits).abs().max().item()
    assert gap < TOLERANCE, f"{name}: TransformerLens and transformers differ by {gap:.1e}"
    about = {
        "hookReference": f"TransformerLens {version('transformer-lens')}",
        "hookLogitGap": f"{gap:.2e}",
        "configByHand": by_hand,
    }
    return {"edited": record_edited(hooked, ids), **hooks}, about


def record(name: str, seed: int) -> None:
    tiny = TINY[name]
    folder = save_model(random_model(name, seed), name)
    model, ids = load_model(folder), tokens(seed + 1)
    with torch.no_grad():
        logits = model(ids).logits
    check_that_details_matter(name, model, ids, logits)
    about = {
        "family": model.config.model_type,
        "reference": f"transformers {version('transformers')} (eager, float32)",
        "torch": version("torch"),
    }
    if tiny.hooked:
        hooks, more = from_transformer_lens(name, model, ids, logits)
    else:
        hooks, more = module_hooks(model, ids[HOOKED_ROW]), {"hookReference": f"transformers {version('transformers')}"}
    about |= more
    tensors = {"tokens": ids.int(), "logits": logits, **hooks}
    path = folder / "recorded.safetensors"
    # One entry: several would be written in varying order.
    metadata = {"about": json.dumps(about)}
    save_file({key: value.contiguous().clone() for key, value in tensors.items()}, path, metadata=metadata)
    path.chmod(0o644)
    size = sum(file.stat().st_size for file in folder.iterdir())
    print(f"{name:22} {size / 1000:6.0f} KB, logits spread {logits.std():.2f}, {json.dumps(more)}")
    assert size < 150_000, size


def main() -> None:
    torch.set_num_threads(1)
    transformers.utils.logging.disable_progress_bar()
    FAMILIES.mkdir(parents=True, exist_ok=True)
    chosen = sys.argv[1:] or list(TINY)
    for name in chosen:
        record(name, seed=100 + list(TINY).index(name))


if __name__ == "__main__":
    main()
