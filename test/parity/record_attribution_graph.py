"""Records attribution graphs of tiny models over random transcoders, as circuit-tracer computes them.

Every case has a folder with the transcoders as circuit-tracer stores them; in `graphs.json` the active features, the logits,
what pruning keeps, and both scores; and in `adjacency.safetensors` the effects on features and
logits, one row for each. Run with the packages of requirements-saes.txt.
"""

import json
import shutil
from functools import partial
from importlib.metadata import version

import huggingface_hub.constants
import torch

# circuit-tracer 0.5.0 asks huggingface_hub for a setting that its newer versions have dropped.
if not hasattr(huggingface_hub.constants, "HF_HUB_ENABLE_HF_TRANSFER"):
    huggingface_hub.constants.HF_HUB_ENABLE_HF_TRANSFER = False

from circuit_tracer.attribution import attribute as attribution
from circuit_tracer.graph import compute_graph_scores, prune_graph
from circuit_tracer.replacement_model import replacement_model_transformerlens as replacement
from circuit_tracer.transcoder.activation_functions import JumpReLU, TopK
from circuit_tracer.transcoder.cross_layer_transcoder import CrossLayerTranscoder
from circuit_tracer.transcoder.single_layer_transcoder import SingleLayerTranscoder, TranscoderSet
from hooked_families import hooked_model
from safetensors.torch import save_file
from tiny_gpt2 import FIXTURES
from transformers import AutoModelForCausalLM

FOLDER = FIXTURES / "attribution_graphs"
FEATURES = 14
LENGTH = 6

CASES = {
    "gpt2-skip": dict(model="gpt2", kind="relu", hook="ln2.hook_normalized", skip=True),
    "gpt2-limited": dict(model="gpt2", kind="relu", hook="mlp.hook_in", features=12),
    "llama-jumprelu": dict(model="llama", kind="jumprelu", hook="mlp.hook_in"),
    "llama-topk": dict(model="llama", kind="topk", hook="hook_resid_mid"),
    "gemma2-skip": dict(model="gemma2", kind="jumprelu", hook="mlp.hook_in", skip=True),
    "gpt_neox-relu": dict(model="gpt_neox", kind="relu", hook="mlp.hook_in"),
    "llama-cross": dict(model="llama", kind="cross", hook="hook_resid_mid"),
    "gpt2-cross": dict(model="gpt2", kind="cross-jumprelu", hook="mlp.hook_in"),
}


class NoTokenizer:
    """The tiny models have none; targets and inputs are given as numbers."""

    vocab_size = 0
    padding_side = "right"

    def decode(self, ids) -> str:
        return str(ids)


def load(name: str):
    folder = FIXTURES / "gpt2" if name == "gpt2" else FIXTURES / "families" / name
    hf = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()
    model, _ = hooked_model(hf)
    return model


def noise(generator: torch.Generator, *shape: int, std: float = 1.0, mean: float = 0.0) -> torch.Tensor:
    return torch.randn(shape, generator=generator) * std + mean


def single_layers(model, kind: str, hook: str, skip: bool, generator: torch.Generator) -> TranscoderSet:
    width = model.cfg.d_model
    layers = {}
    for layer in range(model.cfg.n_layers):
        activation = {"relu": torch.relu, "topk": TopK(5), "jumprelu": JumpReLU(torch.zeros(FEATURES), 0.1)}[kind]
        own = SingleLayerTranscoder(width, FEATURES, activation, layer, skip_connection=skip, dtype=torch.float32)
        with torch.no_grad():
            own.W_enc.copy_(noise(generator, FEATURES, width, std=width**-0.5))
            own.W_dec.copy_(noise(generator, FEATURES, width, std=0.3))
            own.b_enc.copy_(noise(generator, FEATURES, std=0.3, mean=-0.6))
            own.b_dec.copy_(noise(generator, width, std=0.2))
            if skip:
                own.W_skip.copy_(noise(generator, width, width, std=0.1))
            if kind == "jumprelu":
                own.activation_function.threshold.copy_(torch.rand(FEATURES, generator=generator) * 0.4)
        layers[layer] = own
    return TranscoderSet(layers, hook, "hook_mlp_out", scan="tiny")


def cross_layers(model, kind: str, hook: str, generator: torch.Generator) -> CrossLayerTranscoder:
    count, width = model.cfg.n_layers, model.cfg.d_model
    activation = "jump_relu" if kind == "cross-jumprelu" else "relu"
    whole = CrossLayerTranscoder(
        count,
        FEATURES,
        width,
        activation_function=activation,
        lazy_decoder=False,
        feature_input_hook=hook,
        feature_output_hook="hook_mlp_out",
        scan="tiny",
        dtype=torch.float32,
    )
    with torch.no_grad():
        whole.W_enc.copy_(noise(generator, *whole.W_enc.shape, std=width**-0.5))
        whole.b_enc.copy_(noise(generator, *whole.b_enc.shape, std=0.3, mean=-0.6))
        whole.b_dec.copy_(noise(generator, *whole.b_dec.shape, std=0.2))
        for decoder in whole.W_dec:
            decoder.copy_(noise(generator, *decoder.shape, std=0.2))
        if activation == "jump_relu":
            threshold = whole.activation_function.threshold
            threshold.copy_(torch.rand(threshold.shape, generator=generator) * 0.4)
    return whole


def save(transcoders, folder, kind: str, hook: str) -> None:
    folder.mkdir(parents=True)
    is_cross = isinstance(transcoders, CrossLayerTranscoder)
    lines = [
        f"model_kind: {'cross_layer_transcoder' if is_cross else 'transcoder_set'}",
        "model_name: tiny",
        f"feature_input_hook: {hook}",
        "feature_output_hook: hook_mlp_out",
    ]
    if kind == "topk":
        lines += ["activation: topk", "k: 5"]
    (folder / "config.yaml").write_text("\n".join(lines) + "\n")
    if is_cross:
        transcoders.to_safetensors(str(folder))
        return
    for layer, own in enumerate(transcoders):
        own.to_safetensors(str(folder / f"layer_{layer}.safetensors"))


def replaced(model, transcoders):
    """The model with its MLPs wrapped, as `from_pretrained_and_transcoders` makes it."""
    model.__class__ = replacement.TransformerLensReplacementModel
    model.tokenizer = NoTokenizer()
    model.ensure_tokenized = lambda prompt: prompt
    model._configure_replacement_model(transcoders)
    return model


def with_inputs(graph) -> torch.Tensor:
    """The rows of features and of logits; errors and tokens have no inputs."""
    features, logits = len(graph.selected_features), len(graph.logit_targets)
    matrix = graph.adjacency_matrix
    assert not matrix[features:-logits].any()
    return torch.cat([matrix[:features], matrix[-logits:]])


def record(name: str, case: dict, seed: int) -> dict:
    generator = torch.Generator().manual_seed(seed)
    model = load(case["model"])
    kind, hook = case["kind"], case["hook"]
    if kind.startswith("cross"):
        transcoders = cross_layers(model, kind, hook, generator)
    else:
        transcoders = single_layers(model, kind, hook, case.get("skip", False), generator)
    save(transcoders, FOLDER / name, kind, hook)
    tokens = torch.randint(0, model.cfg.d_vocab, (LENGTH,), generator=generator)
    traced = replaced(model, transcoders)
    run = partial(attribution.attribute, tokens, traced, max_n_logits=6, desired_logit_prob=0.8, batch_size=4)
    graph = run(max_feature_nodes=case.get("features"), update_interval=1)
    nodes, edges, cumulative = prune_graph(graph, 0.8, 0.95)
    replacement_score, completeness_score = compute_graph_scores(graph)
    return {
        "model": case["model"],
        "maxFeatures": case.get("features"),
        "tokens": tokens.tolist(),
        "activeFeatures": graph.active_features.tolist(),
        "activations": graph.activation_values.tolist(),
        "selected": graph.selected_features.tolist(),
        "logits": [target.vocab_idx for target in graph.logit_targets],
        "probabilities": graph.logit_probabilities.tolist(),
        "adjacency": with_inputs(graph),
        "keptNodes": nodes.nonzero()[:, 0].tolist(),
        "keptEdges": edges.nonzero().tolist(),
        "cumulative": [float(f"{x:.7g}") for x in cumulative.tolist()],
        "replacementScore": replacement_score,
        "completenessScore": completeness_score,
    }


def main() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    recorded = {name: record(name, case, seed) for seed, (name, case) in enumerate(CASES.items())}
    reference = f"circuit-tracer {version('circuit-tracer')} over TransformerLens {version('transformer-lens')}"
    adjacency = {name: case.pop("adjacency").contiguous() for name, case in recorded.items()}
    save_file(adjacency, str(FOLDER / "adjacency.safetensors"))
    (FOLDER / "adjacency.safetensors").chmod(0o644)
    content = {"reference": reference, "cases": recorded}
    (FOLDER / "graphs.json").write_text(json.dumps(content, separators=(",", ":")) + "\n")
    for name, case in recorded.items():
        print(name, len(case["activeFeatures"]), "features", case["replacementScore"], case["completenessScore"])


if __name__ == "__main__":
    main()
