"""Writes tiny random SAEs in every layout that Fovea reads, and what the libraries that own the layouts compute with them.

Where a library is on PyPI (SAELens, dictionary_learning, sparsify, circuit-tracer, tuned-lens) it writes or reads the
files itself; SAELens' loaders for releases of others are used with their downloads replaced by local files. OpenAI's and
OpenMOSS's own loaders are not on PyPI: there the formula of the authors' code is written out below.

Needs, beside requirements.txt: pip install --no-deps -r requirements-saes.txt
"""

import json
import shutil
import sys
import types
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
import yaml
from safetensors.torch import load_file, save_file

# dictionary_learning imports nnsight for collecting activations only, which is not done here.
sys.modules["nnsight"] = types.ModuleType("nnsight")
sys.modules["nnsight"].LanguageModel = object
sys.modules["nnsight"].CONFIG = types.SimpleNamespace()

from circuit_tracer.transcoder.activation_functions import JumpReLU
from circuit_tracer.transcoder.cross_layer_transcoder import load_clt, load_gemma_scope_2_clt
from circuit_tracer.transcoder.single_layer_transcoder import SingleLayerTranscoder, load_gemma_scope_2_transcoder, load_relu_transcoder
from dictionary_learning.dictionary import AutoEncoder, AutoEncoderNew, GatedAutoEncoder, JumpReluAutoEncoder
from dictionary_learning.trainers.batch_top_k import BatchTopKSAE
from dictionary_learning.trainers.matryoshka_batch_top_k import MatryoshkaBatchTopKSAE
from dictionary_learning.trainers.top_k import AutoEncoderTopK
from dictionary_learning.utils import load_dictionary
from sae_lens import SAE
from sae_lens.loading import pretrained_sae_loaders as loaders
from sae_lens.saes.transcoder import JumpReLUSkipTranscoder, JumpReLUTranscoder, SkipTranscoder, Transcoder
from sparsify import SparseCoder, SparseCoderConfig

D, N, D_OUT, ROWS, K = 12, 24, 12, 10, 5
HERE = Path(__file__).parent
OUT = HERE.parent / "fixtures" / "parity" / "sae_formats"

recorded: dict[str, torch.Tensor] = {}
about: list[dict] = []


def noise(name: str, *shape: int, std: float = 0.3, mean: float = 0.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(sum(ord(c) * (i + 1) for i, c in enumerate(name)))
    return torch.randn(*shape, generator=generator) * std + mean


X = noise("input", ROWS, D, std=1.2, mean=0.3)


def weights(case: str, n: int = N, d_out: int = D) -> dict[str, torch.Tensor]:
    return {
        "W_enc": noise(case + "e", D, n),
        "b_enc": noise(case + "be", n, mean=-0.3),
        "W_dec": noise(case + "d", n, d_out),
        "b_dec": noise(case + "bd", d_out),
        "threshold": noise(case + "t", n, std=0.1, mean=0.4).abs(),
    }


def folder_of(path: str) -> Path:
    folder = OUT / path
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def record(case: str, where: str, by: str, features: torch.Tensor, output: torch.Tensor, **expected) -> None:
    """`where` is the id under the fixtures folder: `folder`, or `folder#file`."""
    assert features.shape == (ROWS, N), (case, features.shape)
    assert 1 <= (features != 0).float().sum(-1).mean() <= 20, (case, (features != 0).float().sum(-1).mean())
    recorded[f"{case}/features"] = features.detach().float().contiguous().clone()
    recorded[f"{case}/output"] = output.detach().float().contiguous().clone()
    about.append({"case": case, "id": where, "by": by, **expected})


# SAELens ------------------------------------------------------------------------------------------------------------


def saelens_config(architecture: str, **extra) -> dict:
    return {"architecture": architecture, "d_in": D, "d_sae": N, "dtype": "float32", "device": "cpu", **extra,
            "metadata": {"sae_lens_version": "6.54.12", "model_name": "tiny", "hook_name": "blocks.0.mlp.hook_in",
                         "hook_name_out": "blocks.0.hook_mlp_out", "hook_head_index": None}}


def saelens_transcoders() -> None:
    by = f"sae-lens {version('sae-lens')}"
    for cls, name in ((Transcoder, "transcoder"), (SkipTranscoder, "skip_transcoder"),
                      (JumpReLUTranscoder, "jumprelu_transcoder"), (JumpReLUSkipTranscoder, "jumprelu_skip_transcoder")):
        config = saelens_config(name, d_out=D_OUT, apply_b_dec_to_input=False)
        sae = SAE.from_dict(config)
        assert type(sae) is cls
        drawn = weights(name, d_out=D_OUT)
        with torch.no_grad():
            for key, parameter in sae.named_parameters():
                parameter.copy_(drawn[key] if key in drawn else noise(name + key, *parameter.shape))
        path = f"saelens/{name}"
        sae.save_model(folder_of(path))
        again = SAE.load_from_disk(OUT / path)
        features = again.encode(X)
        record(f"saelens_{name}", path, by, features, again(X) if "skip" in name else again.decode(features),
               format="SAELens", kind="transcoder", hook="blocks.0.mlp.hook_in", hookOut="blocks.0.hook_mlp_out")


def through_saelens(loader: str, repo: str, folder: str, local: Path, fold: float | None = None, **overrides) -> SAE:
    """The SAE as SAELens loads it from the hub, with the hub replaced by files below `local`."""
    def download(repo_id=None, filename=None, subfolder=None, **_):
        path = local / (f"{subfolder}/{filename}" if subfolder else filename)
        if not path.exists():
            raise loaders.EntryNotFoundError("not there")
        return str(path)

    loaders.hf_hub_download = lambda *args, **kw: download(*args, **kw) if len(args) < 2 else download(args[0], args[1], **kw)
    loaders.get_safetensors_tensor_shapes = lambda repo_id, name: {k: list(v.shape) for k, v in load_file(local / name).items()}
    config, state, _ = loaders.NAMED_PRETRAINED_SAE_LOADERS[loader](repo, folder, "cpu", False, {"dtype": "float32", "device": "cpu", **overrides})
    sae = SAE.from_dict(loaders.handle_config_defaulting(config))
    state = {key: value.float() for key, value in state.items()}
    sae.process_state_dict_for_loading(state)
    sae.load_state_dict(state)
    if fold is not None:
        sae.fold_activation_norm_scaling_factor(fold)
    return sae


def record_saelens(case: str, where: str, sae: SAE, heads: int | None = None, **expected) -> None:
    x = X.reshape(ROWS, heads, D // heads) if heads else X
    features = sae.encode(x)
    output = sae(x).reshape(ROWS, -1)
    record(case, where, f"sae-lens {version('sae-lens')}", features, output, **expected)


# Releases of others --------------------------------------------------------------------------------------------------


def gemma_scope() -> None:
    sites = (("res", "layer_2/width_16k/average_l0_9", "hook_resid_post", None), ("mlp", "layer_1/width_16k/average_l0_9", "hook_mlp_out", None),
             ("att", "layer_0/width_16k/average_l0_9", "attn.hook_z", 4), ("res", "embedding/width_4k/average_l0_9", None, None))
    for kind, inner, hook, heads in sites:
        case = f"gemma_scope_{'embedding' if hook is None else kind}"
        repo = f"gemma-scope-2b-pt-{kind}"
        folder = folder_of(f"{repo}/{inner}")
        # Inputs are divided by √d_in for embeddings, so thresholds are lower there.
        drawn = weights(case) if hook else weights(case) | {"threshold": noise(case + "t", N, std=0.05).abs()}
        np.savez(folder / "params.npz", **{k: v.numpy() for k, v in drawn.items()})
        extra = {"reshape_activations": "hook_z"} if heads else {}
        sae = through_saelens("gemma_2", f"google/{repo}", inner, OUT / repo, d_in=D, d_sae=N, **extra)
        name = "hook_embed" if hook is None else f"blocks.{inner[6]}.{hook}"
        record_saelens(case, f"{repo}/{inner}", sae, heads, format="Gemma Scope", kind="sae", hook=name)
    repo, inner = "gemma-scope-2b-pt-transcoders", "layer_1/width_16k/average_l0_9"
    folder = folder_of(f"{repo}/{inner}")
    # Compressed and in Fortran order, as other writers of npz leave them.
    np.savez_compressed(folder / "params.npz", **{k: np.asfortranarray(v.numpy()) for k, v in weights("gtc").items()})
    sae = through_saelens("gemma_2_transcoder", f"google/{repo}", inner, OUT / repo, d_in=D, d_out=D, d_sae=N)
    # SAELens names ln2.hook_normalized; the weights were trained on the norm's output with its gain.
    record_saelens("gemma_scope_transcoder", f"{repo}/{inner}", sae, format="Gemma Scope", kind="transcoder",
                   hook="blocks.1.mlp.hook_in", hookOut="blocks.1.hook_mlp_out")


def gemma_scope_2() -> None:
    by = f"circuit-tracer {version('circuit-tracer')}"
    base = {"architecture": "jump_relu", "model_name": "gemma-v3-270m"}
    sites = {"resid_post/layer_1_width_16k_l0_small": ("model.layers.1.output", None, None),
             "attn_out/layer_1_width_16k_l0_small": ("model.layers.1.self_attn.o_proj.input", None, 4),
             "mlp_out/layer_1_width_16k_l0_small": ("model.layers.1.post_feedforward_layernorm.output", None, None)}
    for inner, (hook_in, _, heads) in sites.items():
        case = "gemma_scope_2_" + inner.split("/")[0]
        folder = folder_of(f"gemma-scope-2-270m-pt/{inner}")
        save_file({("w" + k[1:] if k[0] == "W" else k): v for k, v in weights(case).items()}, folder / "params.safetensors")
        (folder / "config.json").write_text(json.dumps({**base, "hf_hook_point_in": hook_in, "hf_hook_point_out": hook_in}))
        sae = through_saelens("gemma_3", "google/gemma-scope-2-270m-pt", inner, OUT / "gemma-scope-2-270m-pt")
        hook = {"resid_post": "hook_resid_post", "attn_out": "attn.hook_z", "mlp_out": "hook_mlp_out"}[inner.split("/")[0]]
        record_saelens(case, f"gemma-scope-2-270m-pt/{inner}", sae, None, format="Gemma Scope 2", kind="sae", hook=f"blocks.1.{hook}")
    inner = "transcoder/layer_1_width_16k_l0_small_affine"
    folder = folder_of(f"gemma-scope-2-270m-pt/{inner}")
    state = {("w" + k[1:] if k[0] == "W" else k): v for k, v in weights("g2tc").items()}
    state["affine_skip_connection"] = noise("g2skip", D, D)
    save_file(state, folder / "params.safetensors")
    (folder / "config.json").write_text(json.dumps({
        **base, "affine_connection": True, "hf_hook_point_in": "model.layers.1.pre_feedforward_layernorm.output",
        "hf_hook_point_out": "model.layers.1.post_feedforward_layernorm.output"}))
    plt = load_gemma_scope_2_transcoder(str(folder / "params.safetensors"), 1, torch.device("cpu"))
    # The skip connection is x @ A. Older releases of SAELens computed x @ A.T; circuit-tracer never did.
    features = plt.encode(X)
    record("gemma_scope_2_transcoder", f"gemma-scope-2-270m-pt/{inner}", by, features, plt.decode(features, X),
           format="Gemma Scope 2", kind="transcoder", hook="blocks.1.mlp.hook_in", hookOut="blocks.1.hook_mlp_out")
    torch.testing.assert_close(plt.decode(features, X), features @ state["w_dec"] + state["b_dec"] + X @ state["affine_skip_connection"])
    gemma_scope_2_clt(by, base)


def gemma_scope_2_clt(by: str, base: dict) -> None:
    path, layers = "gemma-scope-2-270m-pt/clt/width_16k_l0_small_affine", 3
    folder = folder_of(path)
    (folder / "config.json").write_text(json.dumps({**base, "hf_hook_point_in": "model.layers.{layer}.pre_feedforward_layernorm.output"}))
    states = []
    for i in range(layers):
        state = {("w" + k[1:] if k[0] == "W" else k): v for k, v in weights(f"g2clt{i}").items()}
        state["w_dec"] = noise(f"g2cltd{i}", N, layers, D)
        state["affine_skip_connection"] = noise(f"g2clts{i}", D, D)
        save_file(state, folder / f"params_layer_{i}.safetensors")
        states.append(state)
    # Its loader leaves out the last key, so it is given one key more than there are files.
    paths = {i: str(folder / f"params_layer_{min(i, layers - 1)}.safetensors") for i in range(layers + 1)}
    clt = load_gemma_scope_2_clt(paths, device=torch.device("cpu"), dtype=torch.float32)
    record_clt("gemma_scope_2_clt", path, "params_layer_{}.safetensors", clt, by, format="Gemma Scope 2", masked=False)


def record_clt(case: str, path: str, file: str, clt, by: str, masked: bool, **expected) -> None:
    inputs = torch.stack([noise(f"{case}in{i}", ROWS, D) for i in range(clt.n_layers)])
    zero = slice(0, 1) if masked else slice(0, 0)
    features, _ = clt.encode_sparse(inputs, zero_positions=zero)
    output = clt.decode(features, inputs)
    recorded[f"{case}/inputs"], recorded[f"{case}/outputs"] = inputs, output.detach().contiguous()
    recorded[f"{case}/features"] = features.to_dense().detach().contiguous()
    parts = [f"{path}#{file.format(i)}" for i in range(clt.n_layers)]
    about.append({"case": case, "ids": parts, "by": by, "kind": "crossLayer", "masked": masked, **expected})


def llama_scope() -> None:
    inner = "Llama3_1-8B-Base-L1R-8x"
    path = f"Llama3_1-8B-Base-LXR-8x/{inner}"
    folder_of(f"{path}/checkpoints")
    w = weights("llama")
    state = {"encoder.weight": w["W_enc"].T, "encoder.bias": w["b_enc"], "decoder.weight": w["W_dec"].T, "decoder.bias": w["b_dec"]}
    save_file({k: v.contiguous().bfloat16() for k, v in state.items()}, OUT / path / "checkpoints" / "final.safetensors")
    hyper = {"d_model": D, "d_sae": N, "jump_relu_threshold": 0.4, "dataset_average_activation_norm": {"in": 2.5, "out": 2.5},
             "hook_point_in": "blocks.1.hook_resid_post", "hook_point_out": "blocks.1.hook_resid_post"}
    (OUT / path / "hyperparams.json").write_text(json.dumps(hyper))
    sae = through_saelens("llama_scope", "fnlp/Llama3_1-8B-Base-LXR-8x", inner, OUT / "Llama3_1-8B-Base-LXR-8x", fold=D**0.5 / 2.5)
    record_saelens("llama_scope", path, sae, format="Llama Scope", kind="sae", hook="blocks.1.hook_resid_post")

    path = "Llama-Scope-R1-Distill/400M/L1R"
    folder = folder_of(path)
    w = weights("r1")
    state = {"encoder.weight": w["W_enc"].T, "encoder.bias": w["b_enc"], "decoder.weight": w["W_dec"].T, "decoder.bias": w["b_dec"],
             "log_jumprelu_threshold": w["threshold"].log()}
    save_file({k: v.contiguous() for k, v in state.items()}, folder / "sae_weights.safetensors")
    config = {"d_model": D, "expansion_factor": N // D, "hook_point_in": "blocks.1.hook_resid_post", "hook_point_out": "blocks.1.hook_resid_post"}
    (folder / "config.json").write_text(json.dumps(config))
    sae = through_saelens("llama_scope_r1_distill", "fnlp/Llama-Scope-R1-Distill", "400M/L1R", OUT / "Llama-Scope-R1-Distill")
    record_saelens("llama_scope_r1_distill", path, sae, format="Llamascopium", kind="sae", hook="blocks.1.hook_resid_post")
    llamascopium()


def llamascopium() -> None:
    """`sparsity_include_decoder_norm`: the choice is made among pre-activations times decoder norms, the activations stay."""
    path = "Llamascopium-topk/L1R"
    folder = folder_of(path)
    w = weights("scopium")
    state = {"encoder.weight": w["W_enc"].T, "encoder.bias": w["b_enc"], "decoder.weight": w["W_dec"].T, "decoder.bias": w["b_dec"]}
    state["dataset_average_activation_norm.blocks.1.hook_resid_post"] = torch.tensor(3.0)
    save_file({k: v.contiguous() for k, v in state.items()}, folder / "sae_weights.safetensors")
    config = {"sae_type": "sae", "d_model": D, "expansion_factor": N / D, "hook_point_in": "blocks.1.hook_resid_post",
              "hook_point_out": "blocks.1.hook_resid_post", "use_decoder_bias": True, "act_fn": "topk", "top_k": K,
              "norm_activation": "dataset-wise", "sparsity_include_decoder_norm": True}
    (folder / "config.json").write_text(json.dumps(config))
    scale = D**0.5 / 3.0
    pre = (X * scale) @ w["W_enc"] + w["b_enc"]
    scored = torch.relu(pre * w["W_dec"].norm(dim=1))
    features = torch.where(scored >= scored.topk(K).values[:, -1:], torch.relu(pre), torch.zeros(()))
    output = (features @ w["W_dec"] + w["b_dec"]) / scale
    record("llamascopium_topk", path, "formula of its configuration", features, output, format="Llamascopium", kind="sae", hook="blocks.1.hook_resid_post")


def checkpoints() -> None:
    w = weights("goodfire")
    folder = folder_of("Llama-3.1-8B-Instruct-SAE-l19")
    state = {"encoder_linear.weight": w["W_enc"].T, "encoder_linear.bias": w["b_enc"], "decoder_linear.weight": w["W_dec"].T, "decoder_linear.bias": w["b_dec"]}
    # Transposed views, as they are when a state dict is saved without making them contiguous.
    torch.save(state, folder / "Llama-3.1-8B-Instruct-SAE-l19.pth")
    sae = through_saelens("goodfire", "Goodfire/Llama-3.1-8B-Instruct-SAE-l19", "Llama-3.1-8B-Instruct-SAE-l19.pth", folder, d_in=D, d_sae=N)
    record_saelens("goodfire", "Llama-3.1-8B-Instruct-SAE-l19#Llama-3.1-8B-Instruct-SAE-l19.pth", sae, format="Goodfire", kind="sae", hook="blocks.19.hook_resid_post")

    w = weights("deepseek")
    folder = folder_of("DeepSeek-R1-Distill-Llama-8B-SAE-l3")
    state = {"encoder.weight": w["W_enc"].T.contiguous(), "encoder.bias": w["b_enc"], "decoder.weight": w["W_dec"].T.contiguous(), "decoder.bias": w["b_dec"]}
    torch.save(state, folder / "DeepSeek-R1-Distill-Llama-8B-SAE-l3.pt")
    sae = through_saelens("deepseek_r1", "qresearch/DeepSeek-R1-Distill-Llama-8B-SAE-l3", "DeepSeek-R1-Distill-Llama-8B-SAE-l3.pt", folder, d_in=D, d_sae=N)
    record_saelens("deepseek", "DeepSeek-R1-Distill-Llama-8B-SAE-l3#DeepSeek-R1-Distill-Llama-8B-SAE-l3.pt", sae, format="DeepSeek", kind="sae", hook="blocks.3.hook_resid_post")

    w = weights("qwen")
    folder = folder_of("SAE-Res-Qwen3-1.7B-Base-W32K-L0_5")
    torch.save({"W_enc": w["W_enc"].T.contiguous(), "W_dec": w["W_dec"].T.contiguous(), "b_enc": w["b_enc"], "b_dec": w["b_dec"]}, folder / "layer2.sae.pt")
    sae = through_saelens("qwen_scope", "Qwen/SAE-Res-Qwen3-1.7B-Base-W32K-L0_5", "layer2.sae.pt", folder, d_in=D, d_sae=N)
    record_saelens("qwen_scope", "SAE-Res-Qwen3-1.7B-Base-W32K-L0_5#layer2.sae.pt", sae, format="Qwen Scope", kind="sae", hook="blocks.2.hook_resid_post")

    w = weights("attention")
    folder = folder_of("attention-output-saes")
    torch.save({k: w[k] for k in ("W_enc", "W_dec", "b_enc", "b_dec")}, folder / "gpt2-small_L1_Hcat_z.pt")
    config = {"act_size": D, "dict_size": N, "act_name": "blocks.1.attn.hook_z"}
    (folder / "gpt2-small_L1_Hcat_z_cfg.json").write_text(json.dumps(config))
    sae = through_saelens("connor_rob_hook_z", "ckkissane/attn-saes-gpt2-small-all-layers", "gpt2-small_L1_Hcat_z.pt", folder)
    record_saelens("attention_output", "attention-output-saes#gpt2-small_L1_Hcat_z.pt", sae, 4, format="Attention-output SAEs", kind="sae", hook="blocks.1.attn.hook_z")


def openai() -> None:
    """sparse_autoencoder/model.py: TopK ones normalise (torch.std, n − 1) and put it back; older ones are ReLU."""
    for case, location, topk in (("openai_v5", "resid_post_mlp_v5_32k", True), ("openai_v4", "resid_delta_mlp_v4", False)):
        folder = folder_of(f"openai/{location}/autoencoders")
        w = weights(case)
        state = {"pre_bias": w["b_dec"], "encoder.weight": w["W_enc"].T.contiguous(), "latent_bias": w["b_enc"], "decoder.weight": w["W_dec"].T.contiguous(),
                 "stats_last_nonzero": torch.zeros(N, dtype=torch.long), "latents_activation_frequency": torch.ones(N, dtype=torch.int64), "latents_mean_square": torch.zeros(N)}
        if topk:
            state |= {"activation": "TopK", "activation_state_dict": {"k": K, "postact_fn": "ReLU"}}
        torch.save(state, folder / "2.pt")
        mean, std = X.mean(-1, keepdim=True), X.std(-1, keepdim=True)
        x = (X - mean) / (std + 1e-5) if topk else X
        pre = (x - w["b_dec"]) @ w["W_enc"] + w["b_enc"]
        kept = torch.zeros_like(pre).scatter_(-1, pre.topk(K).indices, pre.topk(K).values) if topk else pre
        features = torch.relu(kept)
        output = features @ w["W_dec"] + w["b_dec"]
        hook = "blocks.2.hook_resid_post" if topk else "blocks.2.hook_mlp_out"
        record(case, f"openai/{location}/autoencoders#2.pt", "formula of sparse_autoencoder/model.py", features, output * std + mean if topk else output,
               format="OpenAI", kind="sae", hook=hook)


# Libraries of their own ----------------------------------------------------------------------------------------------


def circuit_tracer() -> None:
    by = f"circuit-tracer {version('circuit-tracer')}"
    folder = folder_of("circuit-tracer/set")
    (folder / "config.yaml").write_text(yaml.safe_dump({"model_kind": "transcoder_set", "model_name": "tiny", "feature_input_hook": "mlp.hook_in", "feature_output_hook": "hook_mlp_out", "scan": "tiny"}))
    for layer, (threshold, skip) in enumerate(((False, False), (True, True))):
        case = f"circuit_tracer_layer_{layer}"
        w = weights(case)
        activation = JumpReLU(w["threshold"], 0.1) if threshold else torch.nn.functional.relu
        plt = SingleLayerTranscoder(D, N, activation, layer, skip_connection=skip, dtype=torch.float32, device=torch.device("cpu"))
        with torch.no_grad():
            plt.W_enc.copy_(w["W_enc"].T), plt.W_dec.copy_(w["W_dec"]), plt.b_enc.copy_(w["b_enc"]), plt.b_dec.copy_(w["b_dec"])
            if skip:
                plt.W_skip.copy_(noise(case + "skip", D, D))
        plt.to_safetensors(str(folder / f"layer_{layer}.safetensors"))
        again = load_relu_transcoder(str(folder / f"layer_{layer}.safetensors"), layer, torch.device("cpu"), lazy_encoder=False, lazy_decoder=False)
        sparse, _ = again.encode_sparse(X)
        output, _ = again.decode_sparse(sparse, X)
        record(case, f"circuit-tracer/set#layer_{layer}.safetensors", by, sparse.to_dense(), output, masked=True,
               format="circuit-tracer", kind="transcoder", hook=f"blocks.{layer}.mlp.hook_in", hookOut=f"blocks.{layer}.hook_mlp_out")

    # TopK lets negative values through: x · gate without a ReLU before.
    folder = folder_of("circuit-tracer/topk")
    (folder / "config.yaml").write_text(yaml.safe_dump({"model_kind": "transcoder_set", "model_name": "tiny", "feature_input_hook": "hook_mlp_in", "feature_output_hook": "hook_mlp_out", "activation": "topk", "k": 14}))
    from circuit_tracer.transcoder.activation_functions import TopK
    w = weights("cttopk")
    plt = SingleLayerTranscoder(D, N, TopK(14), 0, dtype=torch.float32, device=torch.device("cpu"))
    with torch.no_grad():
        plt.W_enc.copy_(w["W_enc"].T), plt.W_dec.copy_(w["W_dec"]), plt.b_enc.copy_(w["b_enc"]), plt.b_dec.copy_(w["b_dec"])
    plt.to_safetensors(str(folder / "layer_0.safetensors"))
    sparse, _ = plt.encode_sparse(X)
    assert (sparse.to_dense() < 0).any()
    record("circuit_tracer_topk", "circuit-tracer/topk#layer_0.safetensors", by, sparse.to_dense(), plt.decode_sparse(sparse, X)[0], masked=True,
           format="circuit-tracer", kind="transcoder", hook="blocks.0.hook_mlp_in", hookOut="blocks.0.hook_mlp_out")

    folder = folder_of("circuit-tracer/qwen3-0.6b-transcoders")
    (folder / "wanb-config.yaml").write_text(yaml.safe_dump({"d_model": {"value": D}, "d_feature": {"value": N}, "batch_size": {"value": 4096}}))
    w = weights("mwhanna")
    save_file({"W_enc": w["W_enc"].T.contiguous(), "W_dec": w["W_dec"], "b_enc": w["b_enc"], "b_dec": w["b_dec"]}, folder / "layer_2.safetensors")
    sae = through_saelens("mwhanna_transcoder", "mwhanna/qwen3-0.6b-transcoders", "layer_2.safetensors", folder)
    features = sae.encode(X)
    features[0] = 0  # circuit-tracer masks the first position, SAELens does not
    record("circuit_tracer_run_config", "circuit-tracer/qwen3-0.6b-transcoders#layer_2.safetensors", f"sae-lens {version('sae-lens')}", features, sae.decode(features), masked=True,
           format="circuit-tracer", kind="transcoder", hook="blocks.2.mlp.hook_in", hookOut="blocks.2.hook_mlp_out")

    for case, threshold in (("circuit_tracer_clt", False), ("circuit_tracer_clt_jumprelu", True)):
        folder, layers = folder_of(f"circuit-tracer/{case}"), 3
        (folder / "config.yaml").write_text(yaml.safe_dump({"model_kind": "cross_layer_transcoder", "model_name": "tiny", "feature_input_hook": "hook_resid_mid", "feature_output_hook": "hook_mlp_out", "scan": "tiny"}))
        for i in range(layers):
            w = weights(f"{case}{i}")
            encoder = {f"W_enc_{i}": w["W_enc"].T.contiguous(), f"b_enc_{i}": w["b_enc"], f"b_dec_{i}": w["b_dec"]}
            save_file(encoder | ({f"threshold_{i}": w["threshold"]} if threshold else {}), folder / f"W_enc_{i}.safetensors")
            save_file({f"W_dec_{i}": noise(f"{case}dec{i}", N, layers - i, D)}, folder / f"W_dec_{i}.safetensors")
        clt = load_clt(str(folder), device=torch.device("cpu"), dtype=torch.float32, lazy_decoder=False)
        record_clt(case, f"circuit-tracer/{case}", "W_enc_{}.safetensors", clt, by, format="circuit-tracer", masked=True)


def sparsify() -> None:
    by = f"eai-sparsify {version('eai-sparsify')}"
    cases = {
        "layers.1": dict(activation="topk"),
        "layers.0": dict(activation="groupmax", k=4),
        "layers.2.mlp": dict(activation="topk", transcode=True, skip_connection=True),
        "h.1.attn": dict(activation="topk", normalize_decoder=False),
        "layers.2": dict(activation="topk", skip_connection=True),
    }
    parent = folder_of("sparsify")
    (parent / "config.json").write_text(json.dumps({"model": "EleutherAI/tiny", "dataset": "pile", "ctx_len": 64}))
    hooks = {"layers.1": "blocks.1.hook_resid_post", "layers.0": "blocks.0.hook_resid_post", "layers.2.mlp": "blocks.2.mlp.hook_in",
             "h.1.attn": "blocks.1.hook_attn_out", "layers.2": "blocks.2.hook_resid_post"}
    for name, settings in cases.items():
        config = SparseCoderConfig(expansion_factor=N // D, **{"k": K, **settings})
        coder = SparseCoder(D, config, dtype=torch.float32)
        w = weights(f"sparsify{name}")
        with torch.no_grad():
            coder.encoder.weight.copy_(w["W_enc"].T), coder.encoder.bias.copy_(w["b_enc"]), coder.W_dec.copy_(w["W_dec"]), coder.b_dec.copy_(w["b_dec"])
            if coder.W_skip is not None:
                coder.W_skip.copy_(noise(name + "skip", D, D))
        coder.save_to_disk(parent / name)
        again = SparseCoder.load_from_disk(parent / name)
        acts, indices, _ = again.encode(X)
        features = torch.zeros(ROWS, N).scatter_(-1, indices, acts)
        is_transcoder = settings.get("transcode", False)
        # SAELens transposes W_dec and subtracts the bias by another rule; the library that writes the files is followed.
        record(f"sparsify_{name}", f"sparsify/{name}", by, features, again(X).sae_out, format="sparsify",
               kind="transcoder" if is_transcoder else "sae", hook=hooks[name], **({"hookOut": "blocks.2.hook_mlp_out"} if is_transcoder else {}))


def dictionary_learning() -> None:
    by = f"dictionary-learning {version('dictionary-learning')}"
    cases = {"AutoEncoder": AutoEncoder(D, N), "AutoEncoderNew": AutoEncoderNew(D, N), "GatedAutoEncoder": GatedAutoEncoder(D, N),
             "JumpReluAutoEncoder": JumpReluAutoEncoder(D, N), "AutoEncoderTopK": AutoEncoderTopK(D, N, K), "BatchTopKSAE": BatchTopKSAE(D, N, K),
             "MatryoshkaBatchTopKSAE": MatryoshkaBatchTopKSAE(D, N, K, [8, 16])}
    for name, dictionary in cases.items():
        with torch.no_grad():
            for key, parameter in sorted(dictionary.named_parameters()):
                parameter.copy_(noise(name + key, *parameter.shape, mean=0.4 if key == "threshold" else 0.0))
            if name in ("BatchTopKSAE", "MatryoshkaBatchTopKSAE"):
                dictionary.threshold.fill_(0.5)
        folder = folder_of(f"dictionary_learning/{name}")
        torch.save(dictionary.state_dict(), folder / "ae.pt")
        submodule = {"AutoEncoderNew": "mlp_out_layer_1", "GatedAutoEncoder": "attn_layer_1"}.get(name, "resid_post_layer_1")
        trainer = {"dict_class": name, "trainer_class": f"{name}Trainer", "activation_dim": D, "dict_size": N, "layer": 1, "lm_name": "EleutherAI/tiny", "submodule_name": submodule}
        if "TopK" in name:
            trainer["k"] = K
        (folder / "config.json").write_text(json.dumps({"trainer": trainer, "buffer": {"ctx_len": 64, "io": "out", "d_submodule": D}}))
        again, _ = load_dictionary(str(folder), "cpu")
        features = again.encode(X)
        hook = {"AutoEncoderNew": "hook_mlp_out", "GatedAutoEncoder": "hook_attn_out"}.get(name, "hook_resid_post")
        record(f"dictionary_learning_{name}", f"dictionary_learning/{name}", by, features, again.decode(features), format="dictionary_learning", kind="sae", hook=f"blocks.1.{hook}")
    # In the middle of training: the state dict wrapped, and a threshold that was not set yet.
    folder = folder_of("dictionary_learning/backup")
    topk = cases["AutoEncoderTopK"]
    torch.save({"step": 3, "ae": {**topk.state_dict(), "threshold": torch.tensor(-1.0)}, "optimizer": {}, "config": {"k": K}, "norm_factor": 2.0}, folder / "ae.pt")
    trainer = {"dict_class": "BatchTopKSAE", "activation_dim": D, "dict_size": N, "layer": 0, "lm_name": "EleutherAI/tiny", "submodule_name": None, "k": K}
    (folder / "config.json").write_text(json.dumps({"trainer": trainer, "buffer": {"ctx_len": 64, "io": "out"}}))
    features = topk.encode(X)
    record("dictionary_learning_backup", "dictionary_learning/backup", by, features, topk.decode(features), format="dictionary_learning", kind="sae", hook="blocks.0.hook_resid_post")


def temporal() -> None:
    folder = folder_of("temporal/layer_1/temporal")
    (folder / "conf.yaml").write_text(yaml.safe_dump({"llm": {"dimin": D}, "sae": {"exp_factor": 2}}))
    save_file({"D": noise("temporal", N, D), "b": noise("b", D)}, folder / "latest_ckpt.safetensors")


def tuned_lens() -> None:
    from transformers import AutoModelForCausalLM
    from tuned_lens.nn.lenses import TunedLens

    model = AutoModelForCausalLM.from_pretrained(HERE.parent / "fixtures" / "parity" / "gpt2").eval()
    model.config._name_or_path = "tiny-gpt2"
    lens = TunedLens.from_model(model)
    for i, translator in enumerate(lens.layer_translators):
        translator.weight.copy_(noise(f"lens{i}", *translator.weight.shape, std=0.1))
        translator.bias.copy_(noise(f"lensb{i}", *translator.bias.shape))
    lens.save(folder_of("tuned-lens"))
    tokens = torch.tensor([[3, 14, 15, 92, 65, 35]])
    hidden = model(tokens, output_hidden_states=True).hidden_states
    again = TunedLens.from_model_and_pretrained(model, str(OUT / "tuned-lens"))
    recorded["tuned_lens/logits"] = torch.stack([again(hidden[i], i)[0] for i in range(len(again))]).contiguous()
    assert [*tokens.shape, len(again)] == [1, 6, 3]


def main() -> None:
    torch.set_num_threads(1)
    shutil.rmtree(OUT, ignore_errors=True)
    recorded["input"] = X
    with torch.no_grad():
        for write in (saelens_transcoders, gemma_scope, gemma_scope_2, llama_scope, checkpoints, openai, circuit_tracer, sparsify, dictionary_learning, temporal, tuned_lens):
            write()
    save_file(recorded, OUT / "recorded.safetensors")
    for path in OUT.rglob("*"):
        if path.is_file():
            path.chmod(0o644)
    packages = ("torch", "tuned-lens", "sae-lens", "dictionary-learning", "eai-sparsify", "circuit-tracer")
    text = json.dumps({"recordedWith": {name: version(name) for name in packages}, "cases": about}, indent=1)
    (OUT / "about.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
