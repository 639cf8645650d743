"""Records scores of edge attribution patching for tiny models, from TransformerLens hooks and autograd.

For every edge u -> d of the graph of heads and MLPs: sum over positions of (u on the corrupted prompt - u on the clean one) times
the gradient of the metric at d's own input, the mean over prompts; with integrated gradients the gradient's mean over the steps
k = 1..m whose embeddings are corrupted + k/m (clean - corrupted). Edges are written as in EAP-IG's files.
"""

import json
from importlib.metadata import version

import torch
from hooked_families import hooked_model
from tiny_gpt2 import FIXTURES
from transformer_lens import HookedTransformer
from transformers import AutoModelForCausalLM

FOLDERS = {"gpt2": FIXTURES / "gpt2", **{name: FIXTURES / "families" / name for name in ("gpt_neox", "llama")}}
STEPS = 3
LENGTH = 9
ANSWER, WRONG = 17, 64


def split_inputs(model: HookedTransformer) -> None:
    """Every head reads through paths of its own; keys and values that heads share are repeated for each."""
    model.set_use_attn_result(True)
    model.set_use_split_qkv_input(True)
    model.set_use_hook_mlp_in(True)
    if model.cfg.n_key_value_heads is not None:
        model.set_ungroup_grouped_query_attention(True)


def sources(model: HookedTransformer) -> list[str]:
    names = ["input"]
    for layer in range(model.cfg.n_layers):
        names += [f"a{layer}.h{head}" for head in range(model.cfg.n_heads)] + [f"m{layer}"]
    return names


def writes(model: HookedTransformer, tokens: torch.Tensor) -> torch.Tensor:
    """What every source adds to the stream: [source, batch, position, d_model]."""
    with torch.no_grad():
        _, cache = model.run_with_cache(tokens)
    rows = [cache["blocks.0.hook_resid_pre"]]
    for layer in range(model.cfg.n_layers):
        rows += list(cache[f"blocks.{layer}.attn.hook_result"].unbind(2))
        rows.append(cache[f"blocks.{layer}.hook_mlp_out"])
    return torch.stack(rows)


def reader_gradients(model: HookedTransformer, tokens: torch.Tensor, stream: torch.Tensor | None) -> dict:
    """The gradient of the summed logit difference at the input of every reader: [batch, position, d_model]."""
    gradients = {}

    def keep(gradient: torch.Tensor, hook) -> None:
        place, name = hook.name.rsplit(".", 1)
        layer = int(place.split(".")[1])
        if name == "hook_mlp_in":
            gradients[f"m{layer}"] = gradient.clone()
        elif name == "hook_resid_post":
            gradients["logits"] = gradient.clone()
        else:
            for head, own in enumerate(gradient.unbind(2)):
                gradients[f"a{layer}.h{head}<{name[5]}>"] = own.clone()

    model.reset_hooks()
    if stream is not None:
        model.add_hook("blocks.0.hook_resid_pre", lambda now, hook: stream + 0 * now)
    for layer in range(model.cfg.n_layers):
        for name in ("hook_q_input", "hook_k_input", "hook_v_input", "hook_mlp_in"):
            model.add_hook(f"blocks.{layer}.{name}", keep, dir="bwd")
    model.add_hook(f"blocks.{model.cfg.n_layers - 1}.hook_resid_post", keep, dir="bwd")
    with torch.enable_grad():
        logits = model(tokens)[:, -1]
        (logits[:, ANSWER] - logits[:, WRONG]).sum().backward()
    model.reset_hooks()
    model.zero_grad()
    return gradients


def hears(model: HookedTransformer, source: str, reader: str) -> bool:
    if source == "input" or reader == "logits":
        return True
    above, below = (int(name[1:].split(".")[0]) for name in (reader, source))
    if above != below:
        return below < above
    return reader[0] == "m" and source[0] == "a" and not model.cfg.parallel_attn_mlp


def edge_scores(model: HookedTransformer, clean: torch.Tensor, corrupted: torch.Tensor, steps: int) -> dict[str, float]:
    change = writes(model, corrupted) - writes(model, clean)
    start, other = (writes(model, tokens)[0] for tokens in (clean, corrupted))
    total: dict[str, torch.Tensor] = {}
    for step in range(1, max(1, steps) + 1):
        stream = other + step / steps * (start - other) if steps > 0 else None
        for reader, gradient in reader_gradients(model, clean, stream).items():
            total[reader] = total.get(reader, 0) + gradient / max(1, steps)
    scores = {}
    for reader, gradient in total.items():
        for index, source in enumerate(sources(model)):
            if hears(model, source, reader):
                scores[f"{source}->{reader}"] = (change[index] * gradient).sum().item() / len(clean)
    return scores


def record() -> None:
    result = {"transformer_lens": version("transformer-lens"), "steps": STEPS, "answer": ANSWER, "wrong": WRONG, "models": {}}
    for name, folder in FOLDERS.items():
        hf = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()
        model, _ = hooked_model(hf)
        split_inputs(model)
        generator = torch.Generator().manual_seed(5)
        clean = torch.randint(0, 70, (2, LENGTH), generator=generator)
        corrupted = clean.clone()
        corrupted[:, 2:5] = torch.randint(0, 70, (2, 3), generator=generator)
        expected = hf(clean).logits[:, -1]
        assert (model(clean)[:, -1] - expected).abs().max() < 1e-3, name
        result["models"][name] = {
            "clean": clean.tolist(),
            "corrupted": corrupted.tolist(),
            "eap": {edge: float(f"{score:.6g}") for edge, score in edge_scores(model, clean, corrupted, 0).items()},
            "eap_ig": {edge: float(f"{score:.6g}") for edge, score in edge_scores(model, clean, corrupted, STEPS).items()},
        }
        print(name, len(result["models"][name]["eap"]), "edges")
    folder = FIXTURES / "eap"
    folder.mkdir(exist_ok=True)
    (folder / "scores.json").write_text(json.dumps(result) + "\n")


if __name__ == "__main__":
    record()
