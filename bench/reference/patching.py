"""The sweeps of bench/patching.ts with TransformerLens and with plain PyTorch hooks, asked line by line over stdin.

Usage: patching.py MODEL_FOLDER. The first line sets up the pair of prompts; every other one names a sweep and how many of
its cells to run: all, or every so manieth, from which the time of all is extrapolated. Each is answered by one line of JSON.
"""

import copy
import json
import sys
import time
from functools import partial
from itertools import product
from pathlib import Path

import pandas as pd
import torch
import transformer_lens
from transformer_lens import patching
from transformer_lens.model_bridge import TransformerBridge
from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel
from safetensors.torch import load_file

patching.tqdm = lambda rows: rows


TOKENIZER = Path(__file__).parents[2] / "models" / "mini"


def load(folder: Path) -> tuple[GPT2LMHeadModel, TransformerBridge]:
    config = GPT2Config(**json.loads((folder / "config.json").read_text()))
    config._attn_implementation = "eager"
    config.architectures = ["GPT2LMHeadModel"]
    hf = GPT2LMHeadModel(config).eval()
    weights = load_file(folder / "model.safetensors")
    missing, unexpected = hf.transformer.load_state_dict(weights, strict=False)
    assert not unexpected and not [name for name in missing if "bias" not in name or "attn.c" in name], missing
    hf.tie_weights()
    # Gradients are wanted at activations, not at weights.
    hf.requires_grad_(False)
    # The bridge wants some tokenizer; tokens come as numbers here, so that any will do.
    tokenizer = AutoTokenizer.from_pretrained(TOKENIZER)
    bridge = TransformerBridge.boot_transformers("gpt2", hf_model=copy.deepcopy(hf), tokenizer=tokenizer, device="cpu")
    return hf, bridge.eval()


def cells(work: str, every: int) -> list[tuple[int, int]]:
    """Every so manieth cell; each is a full forward pass, so that some of them tell how long all take."""
    return list(product(range(12), range(16 if work == "resid_pre" else 12)))[::every]


class Lens:
    """TransformerLens: its own sweeps; path patching by its hooks, four steps for every head."""

    def __init__(self, model, clean, corrupted, metric):
        self.model, self.clean, self.corrupted, self.metric = model, clean, corrupted, metric

    def sweep(self, work: str, chosen: list[tuple[int, int]]) -> list[float]:
        if work == "paths":
            return self.paths(chosen)
        if work == "attribution":
            return self.attribution()
        clean_logits, cache = self.model.run_with_cache(self.clean)
        high, low = self.metric(clean_logits), self.metric(self.model(self.corrupted))
        metric = lambda logits: (self.metric(logits) - low) / (high - low)
        if len(chosen) == len(cells(work, 1)):
            name = "resid_pre" if work == "resid_pre" else "attn_head_out_all_pos"
            return getattr(patching, f"get_act_patch_{name}")(self.model, self.corrupted, cache, metric).flatten().tolist()
        setter = patching.layer_pos_patch_setter if work == "resid_pre" else patching.layer_head_vector_patch_setter
        rows = pd.DataFrame(chosen, columns=["layer", "place"])
        kind = "resid_pre" if work == "resid_pre" else "z"
        return patching.generic_activation_patch(
            self.model, self.corrupted, cache, metric, setter, kind, index_df=rows
        ).tolist()

    def attribution(self) -> list[float]:
        """Embeddings, then heads and MLP of every layer: (corrupted - clean) * gradient, summed over positions."""
        layers = range(self.model.cfg.n_layers)
        kept = ["blocks.0.hook_resid_pre"] + [f"blocks.{l}.{hook}" for l in layers for hook in ("attn.hook_z", "hook_mlp_out")]
        _, other = self.model.run_with_cache(self.corrupted, names_filter=kept)
        values, gradients = {}, {}

        def see(value, hook, name):
            values[name] = value.requires_grad_() if name == kept[0] else value
            return values[name]

        forward = [(name, partial(see, name=name)) for name in kept]
        backward = [(name, partial(lambda value, hook, name: gradients.update({name: value}), name=name)) for name in kept]
        with torch.enable_grad(), self.model.hooks(forward, backward):
            self.metric(self.model(self.clean)).backward()
        products = lambda name: (other[name] - values[name].detach()) * gradients[name]
        effects = [products("blocks.0.hook_resid_pre").sum().item()]
        for layer in layers:
            effects += products(f"blocks.{layer}.attn.hook_z").sum((0, 1, 3)).tolist()
            effects.append(products(f"blocks.{layer}.hook_mlp_out").sum().item())
        return effects

    def paths(self, chosen: list[tuple[int, int]]) -> list[float]:
        layers = range(self.model.cfg.n_layers)
        outputs = [f"blocks.{layer}.attn.hook_z" for layer in layers]
        _, new = self.model.run_with_cache(self.corrupted, names_filter=outputs)
        plain, orig = self.model.run_with_cache(self.clean, names_filter=outputs)
        original = self.metric(plain)

        def send(value, hook, at, layer, head):
            value = orig[outputs[at]].clone()
            if at == layer:
                value[:, -1, head] = new[outputs[at]][:, -1, head]
            return value

        effects = []
        for layer, head in chosen:
            # The receivers are the logits: steps C and D are one run.
            hooks = [(outputs[at], partial(send, at=at, layer=layer, head=head)) for at in layers]
            patched = self.metric(self.model.run_with_hooks(self.clean, fwd_hooks=hooks))
            effects.append(((patched - original) / original).item())
        return effects


class Plain:
    """PyTorch alone: forward hooks on Hugging Face's modules, one forward pass for every cell."""

    def __init__(self, model, clean, corrupted, metric):
        self.blocks, self.model, self.metric = model.transformer.h, model, metric
        self.clean, self.corrupted = clean, corrupted

    def run(self, tokens, hooks) -> float:
        handles = [register(hook) for register, hook in hooks]
        try:
            return self.metric(self.model(tokens, use_cache=False).logits)
        finally:
            for handle in handles:
                handle.remove()

    def inputs(self, tokens):
        """The stream entering every block, what enters every output projection (the heads' z), and the metric."""
        streams, heads = {}, {}
        hooks = []
        for layer, block in enumerate(self.blocks):
            see = lambda _m, args, layer=layer: streams.update({layer: args[0].clone()})
            see_heads = lambda _m, args, layer=layer: heads.update({layer: args[0].clone()})
            hooks += [(block.register_forward_pre_hook, see), (block.attn.c_proj.register_forward_pre_hook, see_heads)]
        return streams, heads, self.run(tokens, hooks)

    def nodes(self, tokens, graded: bool):
        """Values of all nodes: what enters the first block and every output projection, and what every MLP writes."""
        values = {}

        def see_embedding(_m, args):
            values["in"] = args[0].detach().requires_grad_(graded)
            return (values["in"], *args[1:])

        hooks = [(self.blocks[0].register_forward_pre_hook, see_embedding)]
        for layer, block in enumerate(self.blocks):
            see = lambda _m, args, layer=layer: values.update({("z", layer): args[0]})
            see_mlp = lambda _m, _args, out, layer=layer: values.update({("mlp", layer): out})
            hooks += [(block.attn.c_proj.register_forward_pre_hook, see), (block.mlp.register_forward_hook, see_mlp)]
        return values, self.run(tokens, hooks)

    def attribution(self) -> list[float]:
        other, _ = self.nodes(self.corrupted, False)
        with torch.enable_grad():
            values, metric = self.nodes(self.clean, True)
            gradients = dict(zip(values, torch.autograd.grad(metric, list(values.values()))))
        products = {key: (other[key] - values[key].detach()) * gradients[key] for key in values}
        effects = [products["in"].sum().item()]
        for layer in range(len(self.blocks)):
            effects += products["z", layer].reshape(-1, 12, 64).sum((0, 2)).tolist()
            effects.append(products["mlp", layer].sum().item())
        return effects

    def sweep(self, work: str, chosen: list[tuple[int, int]]) -> list[float]:
        if work == "attribution":
            return self.attribution()
        clean, corrupted = self.inputs(self.clean), self.inputs(self.corrupted)
        values = []
        for layer, place in chosen:
            part = slice(place * 64, (place + 1) * 64)

            def put_stream(_m, args, layer=layer, place=place):
                value = args[0].clone()
                value[:, place] = clean[0][layer][:, place]
                return (value, *args[1:])

            def put_head(_m, args, layer=layer, part=part):
                value = args[0].clone()
                value[..., part] = clean[1][layer][..., part]
                return (value,)

            def freeze(_m, args, at, layer=layer, part=part):
                value = clean[1][at].clone()
                if at == layer:
                    value[:, -1, part] = corrupted[1][at][:, -1, part]
                return (value,)

            if work == "resid_pre":
                hooks = [(self.blocks[layer].register_forward_pre_hook, put_stream)]
            elif work == "head_out":
                hooks = [(self.blocks[layer].attn.c_proj.register_forward_pre_hook, put_head)]
            else:
                hooks = [(b.attn.c_proj.register_forward_pre_hook, partial(freeze, at=at)) for at, b in enumerate(self.blocks)]
            value = self.run(self.clean if work == "paths" else self.corrupted, hooks)
            low = clean[2] if work == "paths" else corrupted[2]
            scale = clean[2] if work == "paths" else clean[2] - corrupted[2]
            values.append(((value - low) / scale).item())
        return values


def clocks() -> tuple[float, float]:
    """Wall-clock and CPU time, in milliseconds."""
    return 1000 * time.perf_counter(), 1000 * time.process_time()


def main() -> None:
    torch.set_grad_enabled(False)
    hf, model = load(Path(sys.argv[1]))
    setup = json.loads(sys.stdin.readline())
    if setup.get("threads"):
        torch.set_num_threads(setup["threads"])
    clean, corrupted = torch.tensor([setup["clean"]]), torch.tensor([setup["corrupted"]])
    metric = lambda logits: (logits[:, -1, setup["answer"]] - logits[:, -1, setup["wrong"]]).mean()
    programs = {"transformerLens": Lens(model, clean, corrupted, metric), "pytorch": Plain(hf, clean, corrupted, metric)}
    for line in sys.stdin:
        asked = json.loads(line)
        chosen, total = cells(asked["work"], asked["every"]), len(cells(asked["work"], 1))
        times, cpu, values = {}, {}, {}
        for name, program in programs.items():
            before = clocks()
            program.sweep(asked["work"], chosen[:1])
            middle = clocks()
            values[name] = program.sweep(asked["work"], chosen)
            after = clocks()
            if asked["work"] == "attribution":
                times[name], cpu[name] = (b - a for a, b in zip(middle, after))
                continue
            # What does not grow with the cells, such as the runs that are patched from, counts once.
            whole = [
                one + (many - one) / max(1, len(chosen) - 1) * (total - 1)
                for one, many in zip((b - a for a, b in zip(before, middle)), (b - a for a, b in zip(middle, after)))
            ]
            times[name], cpu[name] = whole
        gap = max(abs(a - b) for a, b in zip(values["transformerLens"], values["pytorch"]))
        assert gap < 1e-3 * max(map(abs, values["pytorch"])) + 1e-4, gap
        print(json.dumps({"times": times, "cpu": cpu, "values": values["transformerLens"], "every": asked["every"], "version": transformer_lens.__version__ if hasattr(transformer_lens, "__version__") else ""}), flush=True)


if __name__ == "__main__":
    main()
