"""Records TransformerLens' own activation patching sweeps, and path patching by hooks, on the tiny GPT-2."""

import json
from functools import partial
from importlib.metadata import version

import torch
from record_gpt2 import LOGIT_PAIR
from tiny_gpt2 import FIXTURES, MODEL_FOLDER, hooked_gpt2, load_hf, save_tensors
from transformer_lens import HookedTransformer, patching

RECORDED = FIXTURES / "patching"
LENGTH = 8
SWEEPS = [
    "resid_pre",
    "resid_mid",
    "attn_out",
    "mlp_out",
    *(f"attn_head_{part}_{where}" for where in ("by_pos", "all_pos") for part in ("out", "q", "k", "v", "pattern")),
    "attn_head_pattern_dest_src_pos",
    "attn_head_all_pos_every",
    "attn_head_by_pos_every",
    "block_every",
]


def logit_difference(logits: torch.Tensor) -> torch.Tensor:
    return (logits[:, -1, LOGIT_PAIR[0]] - logits[:, -1, LOGIT_PAIR[1]]).mean()


def token_pairs() -> tuple[torch.Tensor, torch.Tensor]:
    """Two pairs; the counterfactual differs from position 2 on."""
    generator = torch.Generator().manual_seed(11)
    clean = torch.randint(0, 100, (2, LENGTH), generator=generator)
    corrupted = clean.clone()
    corrupted[:, [2, 5]] = torch.randint(0, 100, (2, 2), generator=generator)
    return clean, corrupted


def record_sweeps(model: HookedTransformer, clean: torch.Tensor, corrupted: torch.Tensor) -> dict[str, torch.Tensor]:
    with torch.no_grad():
        clean_logits, cache = model.run_with_cache(clean)
        high, low = logit_difference(clean_logits), logit_difference(model(corrupted))
        metric = lambda logits: (logit_difference(logits) - low) / (high - low)
        return {name: getattr(patching, f"get_act_patch_{name}")(model, corrupted, cache, metric) for name in SWEEPS}


def frozen(names: list[str], cache, positions: slice = slice(None)) -> list:
    def keep(_value: torch.Tensor, hook):
        return cache[hook.name].clone()

    return [(name, keep) for name in names]


def path_patch(model, orig, new, sender, receivers, positions, freeze_mlps: bool) -> torch.Tensor:
    """Wang et al. 2022, algorithm 1, with hooks and full forward passes: the mean metric of step D."""
    heads = [f"blocks.{layer}.attn.hook_{part}" for layer in range(model.cfg.n_layers) for part in "qkv"]
    mlps = [f"blocks.{layer}.hook_mlp_out" for layer in range(model.cfg.n_layers)]
    layer, head = sender
    with torch.no_grad():
        _, of_new = model.run_with_cache(new)
        _, of_orig = model.run_with_cache(orig)
        name = f"blocks.{layer}.attn.hook_z" if head is not None else f"blocks.{layer}.hook_mlp_out"

        def send(value: torch.Tensor, hook):
            value = value.clone()
            if head is None:
                value[:, positions] = of_new[hook.name][:, positions]
            else:
                value[:, positions, head] = of_new[hook.name][:, positions, head]
            return value

        received: dict[str, torch.Tensor] = {}

        def receive(value: torch.Tensor, hook):
            received[hook.name] = value.clone()

        hooks = [(target, receive) for target in {target for target, _ in receivers}]
        hooks += frozen(heads, of_orig)
        hooks += [h for h in frozen(mlps, of_orig) if freeze_mlps and h[0] != name]
        hooks += [(name, send)]
        model.run_with_hooks(orig, fwd_hooks=hooks)

        def put(value: torch.Tensor, hook):
            value = value.clone()
            for target, own in receivers:
                if target == hook.name:
                    index = (slice(None), positions) if own is None else (slice(None), positions, own)
                    value[index] = received[hook.name][index]
            return value

        targets = [(target, put) for target in {target for target, _ in receivers}]
        return logit_difference(model.run_with_hooks(orig, fwd_hooks=targets))


def record_paths(model: HookedTransformer, clean: torch.Tensor, corrupted: torch.Tensor):
    """Relative change of the metric for every sender, several receivers, MLPs recomputed and frozen."""
    cfg = model.cfg
    final = f"blocks.{cfg.n_layers - 1}.hook_resid_post"
    cases = {
        "logits": ([(final, None)], [LENGTH - 1]),
        "logits_everywhere": ([(final, None)], list(range(LENGTH))),
        "queries_2": ([("blocks.2.attn.hook_q", 1), ("blocks.2.attn.hook_q", 3)], [LENGTH - 1]),
        "keys_2": ([("blocks.2.attn.hook_k", 0)], [2, 5]),
        "values_1_2": ([("blocks.1.attn.hook_v", 2), ("blocks.2.attn.hook_v", 0)], [2, 5]),
    }
    with torch.no_grad():
        plain = logit_difference(model(clean))
    tensors, described = {}, []
    for name, (receivers, positions) in cases.items():
        for freeze in (False, True):
            last = max(int(target.split(".")[1]) for target, _ in receivers)
            senders = [(layer, head) for layer in range(cfg.n_layers) for head in [*range(cfg.n_heads), None]]
            senders = [s for s in senders if s[0] < last or name.startswith("logits")]
            effects = [
                (path_patch(model, clean, corrupted, s, receivers, positions, freeze) - plain) / plain for s in senders
            ]
            key = f"path/{name}.{'frozen' if freeze else 'recomputed'}"
            tensors[key] = torch.stack(effects)
            described.append(
                {"key": key, "receivers": receivers, "positions": positions, "freezeMlps": freeze, "senders": senders}
            )
    return tensors, described


def main() -> None:
    torch.set_num_threads(1)
    model = hooked_gpt2(load_hf(MODEL_FOLDER, torch.float64), torch.float64)
    clean, corrupted = token_pairs()
    sweeps = record_sweeps(model, clean, corrupted)
    tensors = {f"sweep/{name}": values.float() for name, values in sweeps.items()}
    paths, described = record_paths(model, clean, corrupted)
    tensors |= {name: values.float() for name, values in paths.items()}
    save_tensors(tensors, RECORDED / "patching.safetensors")
    about = {
        "recordedWith": {name: version(name) for name in ("torch", "transformer-lens")},
        "clean": clean.tolist(),
        "corrupted": corrupted.tolist(),
        "logitPair": list(LOGIT_PAIR),
        "sweeps": SWEEPS,
        "paths": described,
    }
    (RECORDED / "about.json").write_text(json.dumps(about, indent=1) + "\n")


if __name__ == "__main__":
    main()
