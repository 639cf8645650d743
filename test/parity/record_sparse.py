"""Records effects and edges of sparse feature circuits (Marks et al. 2024) on the embedded model and its SAEs, by autograd.

The splice is written out here as the paper has it: at every site x becomes dec(f) + eps with f = enc(x) and eps = x - dec(f),
both leaves; what reaches eps goes no further (first override), and x is given the gradient at the whole of the sum (second
override). Integrated gradients run the model once for every site and step; edges are gradients of g * f at a later site with
respect to f and eps at an earlier one, sites in between being detached.
"""

import json
from importlib.metadata import version
from pathlib import Path

import torch
from safetensors.torch import load_file
from tiny_gpt2 import FIXTURES, hooked_gpt2
from transformers import AutoModelForCausalLM, AutoTokenizer

FOLDER = Path(__file__).resolve().parents[2] / "models/mini"
PAIRS = [
    ("The friends near the tree", "The friend near the tree", " are", " is"),
    ("The clerk near the tree", "The clerks near the tree", " is", " are"),
    ("The guest that the ministers", "The guest that the minister", " see", " sees"),
]
STEPS = 4
NODES = 4
"""Nodes of a site among which edges are recorded: its strongest features, and its error."""


class Dictionary:
    """A TopK SAE by its tensors; without one, no features."""

    def __init__(self, folder: Path) -> None:
        self.weights = None
        if folder.exists():
            self.k = json.loads((folder / "cfg.json").read_text())["k"]
            self.weights = {name: x.double() for name, x in load_file(folder / "sae_weights.safetensors").items()}

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        if self.weights is None:
            return x[..., :0]
        w = self.weights
        pre = (x - w["b_dec"]) @ w["W_enc"] + w["b_enc"]
        top = pre.topk(self.k, dim=-1)
        return torch.zeros_like(pre).scatter(-1, top.indices, top.values.relu())

    def decode(self, f: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        return torch.zeros_like(like) if self.weights is None else f @ self.weights["W_dec"] + self.weights["b_dec"]


class PassThrough(torch.autograd.Function):
    """Goes on with `spliced`, and hands its gradient to `x` as well."""

    @staticmethod
    def forward(ctx, x, spliced):
        return spliced.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient, gradient


class Circuit:
    def __init__(self) -> None:
        hf = AutoModelForCausalLM.from_pretrained(FOLDER, attn_implementation="eager", dtype=torch.float32).eval()
        self.model = hooked_gpt2(hf).double()
        self.layers = self.model.cfg.n_layers
        self.sites = ["blocks.0.hook_resid_pre"]
        for layer in range(self.layers):
            self.sites += [f"blocks.{layer}.hook_{name}" for name in ("attn_out", "mlp_out", "resid_post")]
        self.dictionaries = {site: Dictionary(FOLDER / "saes" / site) for site in self.sites}

    def parts(self, site: str, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        dictionary = self.dictionaries[site]
        f = dictionary.encode(x)
        return f, x - dictionary.decode(f, x)

    def values(self, tokens: torch.Tensor) -> dict[str, torch.Tensor]:
        with torch.no_grad():
            _, cache = self.model.run_with_cache(tokens, names_filter=lambda name: name in self.sites)
        return {site: cache[site] for site in self.sites}

    def metric(self, tokens: torch.Tensor, answers: tuple[int, int], hooks: list) -> torch.Tensor:
        logits = self.model.run_with_hooks(tokens, fwd_hooks=hooks)[0, -1]
        return logits[answers[0]] - logits[answers[1]]

    def splice(self, leaves: dict, site: str):
        def act(x: torch.Tensor, hook) -> torch.Tensor:
            f, eps = (part.detach().requires_grad_() for part in self.parts(site, x.detach()))
            leaves[site] = (f, eps)
            return PassThrough.apply(x, self.dictionaries[site].decode(f, x) + eps)

        return (site, act)

    def atp(self, tokens: torch.Tensor, answers: tuple[int, int]) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
        """Gradients at features and errors of every site, all spliced at once."""
        leaves: dict = {}
        m = self.metric(tokens, answers, [self.splice(leaves, site) for site in self.sites])
        flat = torch.autograd.grad(m, [leaf for site in self.sites for leaf in leaves[site]], allow_unused=True)
        return {
            site: tuple(
                torch.zeros_like(leaf) if gradient is None else gradient
                for leaf, gradient in zip(leaves[site], flat[2 * i : 2 * i + 2])
            )
            for i, site in enumerate(self.sites)
        }

    def ig(self, tokens: torch.Tensor, answers: tuple[int, int], clean: dict, other: dict) -> dict:
        found = {}
        for site in self.sites:
            (f0, e0), (f1, e1) = self.parts(site, clean[site]), self.parts(site, other[site])
            sums = [torch.zeros_like(f0), torch.zeros_like(e0)]
            for k in range(STEPS):
                f = (f0 + k / STEPS * (f1 - f0)).requires_grad_()
                eps = (e0 + k / STEPS * (e1 - e0)).requires_grad_()
                act = lambda x, hook: self.dictionaries[site].decode(f, x) + eps  # noqa: E731
                m = self.metric(tokens, answers, [(site, act)])
                for total, gradient in zip(sums, torch.autograd.grad(m, [f, eps], allow_unused=True)):
                    if gradient is not None:
                        total += gradient / STEPS
            found[site] = tuple(sums)
        return found

    def paths(self, site: str) -> list[tuple[str, list[str]]]:
        """Sites that `site` reads directly, and those in between."""
        layer, name = int(site.split(".")[1]), site.split("hook_")[1]
        before = "blocks.0.hook_resid_pre" if layer == 0 else f"blocks.{layer - 1}.hook_resid_post"
        attention, mlp = f"blocks.{layer}.hook_attn_out", f"blocks.{layer}.hook_mlp_out"
        if name == "attn_out":
            return [(before, [])]
        if name == "mlp_out":
            return [(attention, []), (before, [attention])]
        return [(mlp, []), (attention, [mlp]), (before, [attention, mlp])] if name == "resid_post" else []

    def edges(self, tokens: torch.Tensor, gradients: dict, change: dict, nodes: dict) -> dict[tuple[str, str], float]:
        """Summed over positions: (source, target) to effect."""
        found: dict[tuple[str, str], float] = {}
        for target in self.sites:
            for source, held in self.paths(target):
                leaves, seen = {}, {}

                def start(x, hook, source=source):
                    f, eps = (part.detach().requires_grad_() for part in self.parts(source, x))
                    leaves["f"], leaves["eps"] = f, eps
                    return self.dictionaries[source].decode(f, x) + eps

                def read(x, hook):
                    seen["x"] = x
                    return x

                hooks = [(source, start), *[(stop, lambda x, hook: x.detach()) for stop in held], (target, read)]
                self.model.run_with_hooks(tokens, fwd_hooks=hooks)
                f, eps = self.parts(target, seen["x"])
                for unit in nodes[target]:
                    if unit == "error":
                        scalar = (gradients[target][1] * eps).sum()
                    else:
                        scalar = (gradients[target][0][..., unit] * f[..., unit]).sum()
                    back = torch.autograd.grad(scalar, [leaves["f"], leaves["eps"]], retain_graph=True, allow_unused=True)
                    back = [torch.zeros_like(leaves[n]) if b is None else b for n, b in zip(("f", "eps"), back)]
                    of_features, of_error = (change[source][i] * back[i] for i in (0, 1))
                    for other in nodes[source]:
                        effect = of_error.sum() if other == "error" else of_features[..., other].sum()
                        found[f"{source}#{other}", f"{target}#{unit}"] = effect.item()
        return found


def short(x: float) -> float:
    return float(f"{x:.7g}")


def main() -> None:
    circuit = Circuit()
    tokenizer = AutoTokenizer.from_pretrained(FOLDER)
    ids = lambda text: tokenizer(text, add_special_tokens=False)["input_ids"]  # noqa: E731
    pairs = []
    for clean, corrupted, right, wrong in PAIRS:
        (answer,), (other,) = ids(right), ids(wrong)
        pairs.append({"clean": ids(clean), "corrupted": ids(corrupted), "answer": answer, "wrong": other})
        assert len(pairs[-1]["clean"]) == len(pairs[-1]["corrupted"]), clean
    effects: dict = {"atp": {}, "ig": {}}
    prepared = []
    for pair in pairs:
        tokens, answers = torch.tensor([pair["clean"]]), (pair["answer"], pair["wrong"])
        clean, other = circuit.values(tokens), circuit.values(torch.tensor([pair["corrupted"]]))
        change = {}
        for site in circuit.sites:
            (f0, e0), (f1, e1) = circuit.parts(site, clean[site]), circuit.parts(site, other[site])
            change[site] = (f1 - f0, e1 - e0)
        gradients = {"atp": circuit.atp(tokens, answers), "ig": circuit.ig(tokens, answers, clean, other)}
        for method, found in gradients.items():
            for site in circuit.sites:
                of_features = (found[site][0] * change[site][0]).sum((0, 1)) / len(pairs)
                of_error = (found[site][1] * change[site][1]).sum() / len(pairs)
                row = torch.cat([of_features, of_error[None]])
                effects[method][site] = effects[method].get(site, 0) + row
        prepared.append((tokens, gradients["atp"], change))
    nodes = {}
    for site in circuit.sites:
        row = effects["atp"][site][:-1].abs()
        nodes[site] = [*row.topk(min(NODES, len(row))).indices.tolist(), "error"]
    edges: dict = {}
    for tokens, gradients, change in prepared:
        for names, effect in circuit.edges(tokens, gradients, change, nodes).items():
            edges[names] = edges.get(names, 0) + effect / len(pairs)
    recorded = {
        "about": f"TransformerLens {version('transformer-lens')}, torch {torch.__version__}, float64",
        "steps": STEPS,
        "pairs": pairs,
        "effects": {
            method: {
                site: {
                    ("error" if i == len(row) - 1 else str(i)): short(x)
                    for i, x in enumerate(row.tolist())
                    if x != 0
                }
                for site, row in of_site.items()
            }
            for method, of_site in effects.items()
        },
        "edges": [[source, target, short(effect)] for (source, target), effect in edges.items()],
    }
    path = FIXTURES / "sparse.json"
    path.write_text(json.dumps(recorded, separators=(",", ":")) + "\n")
    print(f"{path}: {path.stat().st_size} bytes, {len(recorded['edges'])} edges")
    for method, of_site in effects.items():
        print(method, {site: short(row.abs().max().item()) for site, row in of_site.items()})


main()
