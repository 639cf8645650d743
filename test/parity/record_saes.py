"""Records encodings and reconstructions of tiny SAEs with SAELens, and logits of the tiny GPT-2 with an SAE spliced in.

Run after record_gpt2.py, whose model it reads.
"""

import json
import shutil
from importlib.metadata import version
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from sae_lens import SAE, BatchTopKTrainingSAE, GatedSAE, JumpReLUSAE, StandardSAE, StandardSAEConfig, TopKSAE
from tiny_gpt2 import FIXTURES, MODEL_FOLDER, RECORDED_FOLDER, hooked_gpt2, load_hf, save_tensors
from tiny_saes import D_IN, D_SAE, HEADS, SPLICE_HOOK, random_saes, shared

SAE_FOLDER = FIXTURES / "saes"
ROWS = 24
SPLICED = "gpt2_resid_post_1"
# Inputs whose pre-activation lies closer than this to a threshold are left out: rounding may decide them.
MARGIN = 1e-3


def save(sae: SAE, folder: Path) -> None:
    if isinstance(sae, BatchTopKTrainingSAE):
        sae.save_inference_model(folder)
    else:
        sae.save_model(folder)


def flat_config(**extra) -> dict:
    """A cfg.json as SAELens wrote it before 6.0: no metadata object, hook_point, activation_fn_str."""
    return {
        "model_name": "tiny-gpt2",
        "hook_point": SPLICE_HOOK,
        "hook_point_layer": 1,
        "hook_point_head_index": None,
        "d_in": D_IN,
        "d_sae": D_SAE,
        "dtype": "torch.float32",
        "device": "cpu",
        "context_size": 48,
        "prepend_bos": False,
        "apply_b_dec_to_input": True,
        "finetuning_scaling_factor": False,
        "sae_lens_training_version": "3.11.0",
        "dataset_path": None,
        **extra,
    }


def write_flat(source: str, name: str, config: dict) -> None:
    """Writes the weights of an SAE again beside a flat cfg.json, with the all-ones scaling_factor of that time."""
    folder = SAE_FOLDER / name
    folder.mkdir(parents=True)
    weights = load_file(SAE_FOLDER / source / "sae_weights.safetensors")
    save_file({**weights, "scaling_factor": torch.ones(D_SAE)}, folder / "sae_weights.safetensors")
    (folder / "cfg.json").write_text(json.dumps(config, indent=2) + "\n")


def pre_activations(sae: SAE, x: torch.Tensor) -> torch.Tensor:
    """What hook_sae_acts_pre shows."""
    _, cache = sae.run_with_cache(x)
    return cache["hook_sae_acts_pre"]


def clear_of_thresholds(sae: SAE, x: torch.Tensor) -> torch.Tensor:
    """Which rows keep a distance of MARGIN from every decision that rounding could turn."""
    pre = pre_activations(sae, x)
    if isinstance(sae, JumpReLUSAE):
        return ((pre - sae.threshold).abs() > MARGIN).all(-1)
    if isinstance(sae, GatedSAE):
        return ((sae.process_sae_in(x) @ sae.W_enc + sae.b_gate).abs() > MARGIN).all(-1)
    if isinstance(sae, TopKSAE):
        scored = pre * sae.W_dec.norm(dim=-1) if sae.cfg.rescale_acts_by_decoder_norm else pre
        top = scored.topk(sae.cfg.k + 1, dim=-1).values
        return top[:, -2] - top[:, -1] > MARGIN
    return torch.ones(x.shape[0], dtype=torch.bool)


def in_shape(sae: SAE, x: torch.Tensor) -> torch.Tensor:
    return x.reshape(-1, HEADS, D_IN // HEADS) if sae.cfg.reshape_activations == "hook_z" else x


def choose_inputs(saes: dict[str, SAE]) -> torch.Tensor:
    """Inputs with a common mean and very different norms."""
    generator = torch.Generator().manual_seed(21)
    mean = torch.randn(D_IN, generator=generator) * 0.5
    scale = torch.rand(400, 1, generator=generator) * 1.2 + 0.3
    candidates = torch.randn(400, D_IN, generator=generator) * scale + mean
    clear = torch.ones(400, dtype=torch.bool)
    for sae in saes.values():
        clear &= clear_of_thresholds(sae, in_shape(sae, candidates))
    assert clear.sum() >= ROWS
    return candidates[clear][:ROWS]


def record_random(saes: dict[str, SAE]) -> tuple[dict[str, torch.Tensor], dict[str, dict]]:
    x = choose_inputs(saes)
    tensors, summary = {"input": x}, {}
    for name, sae in saes.items():
        features = sae.encode(in_shape(sae, x))
        tensors |= {f"{name}/features": features, f"{name}/output": sae.decode(features)}
        l0 = (features > 0).float().sum(-1)
        assert 1 <= l0.mean() <= 20, (name, l0.mean())
        summary[name] = {
            "architecture": sae.cfg.architecture(),
            "meanL0": round(l0.mean().item(), 3),
            "rowsBelowK": int((l0 < sae.cfg.k).sum()) if isinstance(sae, TopKSAE) else None,
        }
    for flat, source in (("legacy_flat", "standard"), ("legacy_flat_topk", "topk")):
        assert torch.equal(tensors[f"{flat}/features"], tensors[f"{source}/features"])
    return tensors, summary


def fit_sae(model, seed: int) -> StandardSAE:
    """A standard SAE fitted to the model's own activations on random ids, so that its reconstruction means something."""
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(0, 100, (256, 20), generator=generator)
    with torch.no_grad():
        _, cache = model.run_with_cache(tokens, names_filter=SPLICE_HOOK)
    x = cache[SPLICE_HOOK].reshape(-1, D_IN)
    torch.manual_seed(seed)
    sae = StandardSAE(StandardSAEConfig(**shared()))
    with torch.no_grad():
        sae.b_dec.copy_(x.mean(0))
    optimiser = torch.optim.Adam(sae.parameters(), lr=3e-3)
    for _ in range(600):
        batch = x[torch.randint(0, x.shape[0], (512,), generator=generator)]
        features = sae.encode(batch)
        weighted = (features * sae.W_dec.norm(dim=-1)).sum(-1)
        loss = ((sae.decode(features) - batch) ** 2).sum(-1).mean() + 1.5 * weighted.mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    sae.zero_grad()
    return sae.requires_grad_(False)


def spliced_logits(model, sae: SAE, tokens: torch.Tensor, keep_error: bool, edit=None) -> torch.Tensor:
    """Logits with the hook's value replaced by what SAELens' own forward pass gives (its error term included, if asked)."""
    sae.use_error_term = keep_error
    if edit:
        sae.add_hook("hook_sae_acts_post", edit)
    logits = model.run_with_hooks(tokens, fwd_hooks=[(SPLICE_HOOK, lambda value, hook: sae(value))])
    sae.reset_hooks()
    sae.use_error_term = False
    return logits


def record_splice(model, sae: SAE, tokens: torch.Tensor) -> tuple[dict[str, torch.Tensor], dict]:
    with torch.no_grad():
        plain, cache = model.run_with_cache(tokens)
        value = cache[SPLICE_HOOK]
        features = sae.encode(value)
        feature = int(features.mean((0, 1)).argmax())

        def put(number: float):
            def edit(acts: torch.Tensor, hook) -> torch.Tensor:
                acts = acts.clone()
                acts[..., feature] = number
                return acts

            return edit

        tensors = {
            "value": value,
            "features": features,
            "error": value - sae.decode(features),
            "logits_plain": plain,
            "logits_reconstruction": spliced_logits(model, sae, tokens, keep_error=False),
            "logits_error_kept": spliced_logits(model, sae, tokens, keep_error=True),
            "logits_feature_zeroed": spliced_logits(model, sae, tokens, keep_error=True, edit=put(0.0)),
            "logits_feature_set_to_3": spliced_logits(model, sae, tokens, keep_error=True, edit=put(3.0)),
        }
    assert (tensors["logits_error_kept"] - plain).abs().max() < 1e-4
    variance = ((value - value.mean((0, 1))) ** 2).sum()
    about = {
        "hook": SPLICE_HOOK,
        "feature": feature,
        "meanL0": round((features > 0).float().sum(-1).mean().item(), 3),
        "fractionOfVarianceExplained": round(1 - ((tensors["error"] ** 2).sum() / variance).item(), 4),
    }
    return tensors, about


def feature_gradients(model, sae: SAE, tokens: torch.Tensor, pair: list[int]) -> dict[str, torch.Tensor]:
    """Gradient of the logit difference at every feature, the error held constant."""
    with torch.no_grad():
        _, cache = model.run_with_cache(tokens, names_filter=SPLICE_HOOK)
        features = sae.encode(cache[SPLICE_HOOK])
        error = cache[SPLICE_HOOK] - sae.decode(features)
    features.requires_grad_(True)
    logits = model.run_with_hooks(tokens, fwd_hooks=[(SPLICE_HOOK, lambda value, hook: sae.decode(features) + error)])
    (logits[0, -1, pair[0]] - logits[0, -1, pair[1]]).backward()
    return {"features": features, "feature_gradients": features.grad, "error": error}


def main() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    shutil.rmtree(SAE_FOLDER, ignore_errors=True)
    for name, sae in random_saes().items():
        save(sae, SAE_FOLDER / name)
    write_flat("standard", "legacy_flat", flat_config(activation_fn_str="relu", normalize_activations=False))
    write_flat("topk", "legacy_flat_topk", flat_config(activation_fn_str="topk", activation_fn_kwargs={"k": 5}))

    model = hooked_gpt2(load_hf(MODEL_FOLDER)).requires_grad_(False)
    save(fit_sae(model, seed=31), SAE_FOLDER / SPLICED)
    for path in SAE_FOLDER.glob("*/*"):
        path.chmod(0o644)

    names = sorted(folder.name for folder in SAE_FOLDER.iterdir())
    loaded = {name: SAE.load_from_disk(SAE_FOLDER / name) for name in names}
    with torch.no_grad():
        tensors, summary = record_random({name: sae for name, sae in loaded.items() if name != SPLICED})
    save_tensors(tensors, SAE_FOLDER / "recorded.safetensors")

    gpt2 = json.loads((RECORDED_FOLDER / "about.json").read_text())
    spliced, about = record_splice(model, loaded[SPLICED], torch.tensor(gpt2["tokens"]["batch"]))
    gradients = feature_gradients(
        model, loaded[SPLICED], torch.tensor(gpt2["tokens"]["single"]), gpt2["scalars"]["single"]["logitPair"]
    )
    save_tensors(
        {**{f"batch/{k}": v for k, v in spliced.items()}, **{f"single/{k}": v for k, v in gradients.items()}},
        SAE_FOLDER / "splice.safetensors",
    )
    recorded_with = {name: version(name) for name in ("torch", "transformer-lens", "sae-lens")}
    text = json.dumps({"recordedWith": recorded_with, "saes": summary, "splice": about}, indent=2)
    (SAE_FOLDER / "about.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
