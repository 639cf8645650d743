"""Records hooks, gradients and interventions of a tiny random GPT-2 with TransformerLens."""

import json
import shutil
from collections.abc import Callable
from importlib.metadata import version

import torch
from tiny_gpt2 import MODEL_FOLDER, RECORDED_FOLDER, hooked_gpt2, load_hf, random_gpt2, save_tensors
from transformer_lens import HookedTransformer

LOGIT_PAIR = (17, 64)
Edit = tuple[str, Callable[[torch.Tensor], torch.Tensor]]


def random_tokens(rows: int, length: int, seed: int) -> torch.Tensor:
    """Random ids in which a few early tokens come back, as words in a text do."""
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(0, 100, (rows, length), generator=generator)
    tokens[:, length // 2 : length // 2 + 3] = tokens[:, 1:4]
    return tokens


def hook_names(model: HookedTransformer) -> list[str]:
    """The names of the hooks that fire with the present settings."""
    _, cache = model.run_with_cache(torch.zeros(1, 2, dtype=torch.long))
    return list(cache.keys())


def record_hooks(model: HookedTransformer, tokens: torch.Tensor) -> dict[str, torch.Tensor]:
    with torch.no_grad():
        logits, cache = model.run_with_cache(tokens)
    return {**{name: cache[name] for name in cache.keys()}, "logits": logits}


def logit_difference(logits: torch.Tensor, _tokens: torch.Tensor) -> torch.Tensor:
    return logits[0, -1, LOGIT_PAIR[0]] - logits[0, -1, LOGIT_PAIR[1]]


def mean_cross_entropy(logits: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    log_probs = logits[:, :-1].log_softmax(-1)
    return -log_probs.gather(-1, tokens[:, 1:, None]).mean()


def record_gradients(model: HookedTransformer, tokens: torch.Tensor, scalar: Callable):
    """Gradient of a scalar at every hook, from TransformerLens' own backward hooks.

    TransformerLens calls ln1 once each for query, key and value, so its backward hook fires three times with
    the share of one branch; the sum is the derivative with respect to the value that the hook shows.
    """
    gradients: dict[str, torch.Tensor] = {}

    def keep(gradient: torch.Tensor, hook) -> None:
        gradients[hook.name] = gradients[hook.name] + gradient if hook.name in gradients else gradient.clone()

    names = hook_names(model)
    model.reset_hooks()
    for name in names:
        model.add_hook(name, keep, dir="bwd")
    with torch.enable_grad():
        value = scalar(model(tokens), tokens)
        value.backward()
    model.reset_hooks()
    model.zero_grad()
    missing = set(names) - set(gradients)
    assert not missing, f"no gradient reached {sorted(missing)}"
    return value.item(), gradients


def check_gradients(model: HookedTransformer, tokens: torch.Tensor, scalar: Callable, gradients) -> float:
    """Compares each float64 gradient with central differences along a random direction; gives the worst error."""
    worst, step = 0.0, 1e-5
    generator = torch.Generator().manual_seed(7)
    for name, gradient in gradients.items():
        direction = torch.randn(gradient.shape, generator=generator, dtype=gradient.dtype)

        def value(sign: int) -> float:
            shift = lambda now, hook: now + sign * step * direction
            return scalar(model.run_with_hooks(tokens, fwd_hooks=[(name, shift)]), tokens).item()

        with torch.no_grad():
            slope = (value(1) - value(-1)) / (2 * step)
        expected = (gradient * direction).sum().item()
        worst = max(worst, abs(slope - expected) / max(abs(expected), 1e-2))
    assert worst < 1e-5, worst
    return worst


def record_split_gradients(model: HookedTransformer, tokens: torch.Tensor, scalar: Callable):
    """Gradients at the per-head inputs of query, key and value and at the MLP input (edges, not nodes)."""
    model.set_use_split_qkv_input(True)
    model.set_use_hook_mlp_in(True)
    _, gradients = record_gradients(model, tokens, scalar)
    model.set_use_split_qkv_input(False)
    model.set_use_hook_mlp_in(False)
    ends = ("hook_q_input", "hook_k_input", "hook_v_input", "hook_mlp_in")
    return {name: g for name, g in gradients.items() if name.endswith(ends)}


def interventions(model: HookedTransformer, other: torch.Tensor, vector: torch.Tensor):
    """Every intervention as a description for the JSON and the edit that carries it out."""
    with torch.no_grad():
        _, source = model.run_with_cache(other)

    def at(index: tuple, change: Callable[[torch.Tensor, torch.Tensor], torch.Tensor | float], name: str) -> Edit:
        def edit(value: torch.Tensor, hook) -> torch.Tensor:
            out = value.clone()
            out[index] = change(value[index], source[name][index])
            return out

        return name, edit

    def uniform_causal(now: torch.Tensor, _source: torch.Tensor) -> torch.Tensor:
        causal = torch.ones_like(now).tril()
        return causal / causal.sum(-1, keepdim=True)

    every = slice(None)
    zero = lambda now, _source: 0.0
    patch = lambda _now, src: src
    rows = [
        ("zero_head_1_2", "blocks.1.attn.hook_z", dict(kind="zero", head=2), (every, every, 2), zero),
        ("zero_mlp_out_1", "blocks.1.hook_mlp_out", dict(kind="zero"), (every,), zero),
        ("patch_resid_pre_1_pos_5", "blocks.1.hook_resid_pre", dict(kind="patch", positions=[5]), (every, 5), patch),
        (
            "uniform_pattern_0_1",
            "blocks.0.attn.hook_pattern",
            dict(kind="uniform_causal", head=1),
            (every, 1),
            uniform_causal,
        ),
        (
            "add_vector_resid_post_2_from_3",
            "blocks.2.hook_resid_post",
            dict(kind="add", positions=list(range(3, other.shape[1])), vector="vector"),
            (every, slice(3, None)),
            lambda now, _source: now + vector,
        ),
        ("half_q_2_0", "blocks.2.attn.hook_q", dict(kind="scale", head=0, factor=0.5), (every, every, 0), lambda now, _s: now * 0.5),
        (
            "zero_neurons_0_to_9",
            "blocks.0.mlp.hook_post",
            dict(kind="scale", neurons=list(range(10)), factor=0.0),
            (every, every, slice(0, 10)),
            lambda now, _s: now * 0.0,
        ),
        ("patch_attn_out_1", "blocks.1.hook_attn_out", dict(kind="patch"), (every,), patch),
        ("patch_k_1_1", "blocks.1.attn.hook_k", dict(kind="patch", head=1), (every, every, 1), patch),
        (
            "double_mlp_out_0_pos_2_7",
            "blocks.0.hook_mlp_out",
            dict(kind="scale", positions=[2, 7], factor=2.0),
            (every, [2, 7]),
            lambda now, _s: now * 2.0,
        ),
        ("zero_result_2_3", "blocks.2.attn.hook_result", dict(kind="zero", head=3), (every, every, 3), zero),
        ("patch_embed_pos_4", "hook_embed", dict(kind="patch", positions=[4]), (every, 4), patch),
    ]
    for name, hook, how, index, change in rows:
        yield name, [{"hook": hook, **how}], [at(index, change, hook)]
    yield (
        "zero_head_0_3_and_mlp_out_2",
        [{"hook": "blocks.0.attn.hook_z", "kind": "zero", "head": 3}, {"hook": "blocks.2.hook_mlp_out", "kind": "zero"}],
        [at((every, every, 3), zero, "blocks.0.attn.hook_z"), at((every,), zero, "blocks.2.hook_mlp_out")],
    )


def record_interventions(model: HookedTransformer, batch: torch.Tensor):
    """Runs each intervention on sequence A = batch[0]; patches come from sequence B = batch[1]."""
    a, b = batch[:1], batch[1:]
    vector = torch.randn(model.cfg.d_model, generator=torch.Generator().manual_seed(5)).to(model.cfg.dtype)
    tensors, described = {"vector": vector}, []
    with torch.no_grad():
        plain = tensors["none"] = model(a)
        for name, edits, hooks in interventions(model, b, vector):
            tensors[name] = model.run_with_hooks(a, fwd_hooks=hooks)
            change = (tensors[name] - plain).abs().max().item()
            assert change > 1e-2, f"{name} changes nothing"
            described.append({"name": name, "edits": edits, "largestLogitChange": round(change, 4)})
    return tensors, described


def with_prefix(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {f"{prefix}/{name}": tensor for name, tensor in tensors.items()}


def largest_difference(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> float:
    """Largest |a − b| over the finite entries of all tensors; the infinite ones must be the same."""
    worst = 0.0
    for name, tensor in a.items():
        x, y = tensor.double(), b[name].double()
        assert torch.equal(x.isinf(), y.isinf()), name
        gap = (x - y).masked_fill(x.isinf(), 0).abs()
        worst = max(worst, gap.max().item())
    return worst


def main() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    shutil.rmtree(MODEL_FOLDER, ignore_errors=True)
    random_gpt2(seed=1).save_pretrained(MODEL_FOLDER)
    (MODEL_FOLDER / "generation_config.json").unlink(missing_ok=True)
    (MODEL_FOLDER / "model.safetensors").chmod(0o644)

    hf, exact_hf = load_hf(MODEL_FOLDER), load_hf(MODEL_FOLDER, torch.float64)
    model, exact = hooked_gpt2(hf), hooked_gpt2(exact_hf, torch.float64)
    runs = {"single": random_tokens(1, 20, seed=2), "batch": random_tokens(2, 12, seed=3)}
    scalars = {"single": logit_difference, "batch": mean_cross_entropy}
    about = {
        "recordedWith": {name: version(name) for name in ("torch", "transformers", "transformer-lens")},
        "tokens": {name: tokens.tolist() for name, tokens in runs.items()},
        "scalars": {},
        "float32AgainstFloat64": {},
        "gradientsAgainstCentralDifferences": {},
        "transformerLensAgainstHuggingFace": {},
    }
    for name, tokens in runs.items():
        hooks = record_hooks(model, tokens)
        with torch.no_grad():
            hf_logits, exact_hf_logits = hf(tokens).logits, exact_hf(tokens).logits
            gaps = {
                "float32": (hf_logits - hooks["logits"]).abs().max().item(),
                "float64": (exact_hf_logits - exact(tokens)).abs().max().item(),
            }
        assert gaps["float32"] < 1e-5 and gaps["float64"] < 1e-12, gaps
        about["transformerLensAgainstHuggingFace"][name] = gaps
        save_tensors(with_prefix(name, {**hooks, "hf_logits": hf_logits}), RECORDED_FOLDER / f"hooks.{name}.safetensors")

        value, gradients = record_gradients(model, tokens, scalars[name])
        exact_value, exact_gradients = record_gradients(exact, tokens, scalars[name])
        about["gradientsAgainstCentralDifferences"][name] = check_gradients(exact, tokens, scalars[name], exact_gradients)
        about["float32AgainstFloat64"][name] = {
            "hooks": largest_difference(hooks, record_hooks(exact, tokens)),
            "gradients": largest_difference(gradients, exact_gradients),
        }
        about["scalars"][name] = {"kind": scalars[name].__name__, "value": value, "float64": exact_value}
        if name == "single":
            about["scalars"][name]["logitPair"] = list(LOGIT_PAIR)
            split = record_split_gradients(model, tokens, scalars[name])
            save_tensors(with_prefix(name, split), RECORDED_FOLDER / "gradients.single.split.safetensors")
        save_tensors(with_prefix(name, gradients), RECORDED_FOLDER / f"gradients.{name}.safetensors")

    tensors, described = record_interventions(model, runs["batch"])
    exact_tensors, _ = record_interventions(exact, runs["batch"])
    about["float32AgainstFloat64"]["interventions"] = largest_difference(tensors, exact_tensors)
    save_tensors(tensors, RECORDED_FOLDER / "interventions.safetensors")
    about["interventions"] = described
    (RECORDED_FOLDER / "about.json").write_text(json.dumps(about, indent=2) + "\n")


if __name__ == "__main__":
    main()
