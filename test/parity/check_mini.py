"""Checks the embedded model in Hugging Face transformers, TransformerLens and SAELens, and records a few of its values.

    python check_mini.py                          # loads, compares, prints, writes test/fixtures/parity/mini.json
    python check_mini.py --compare engine.json    # also compares values of our engine, see README.md; repeatable
    python check_mini.py --text corpus.txt        # L0 and explained variance on this text
"""

import argparse
import hashlib
import json
import sys
from importlib.metadata import version
from pathlib import Path

import torch
from sae_lens import SAE
from tiny_gpt2 import FIXTURES, hooked_gpt2
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

REPOSITORY = Path(__file__).resolve().parents[2]
PROMPTS = [
    "When Anna and Tom went to the market, Tom gave the apple to",
    "The keys to the cabinet",
    "The war lasted from the year 1742 to the year 17",
    "Once there was a small boat that",
    "The doctor said that",
]
TOKENIZED = [
    *PROMPTS,
    "",
    " leading and trailing ",
    "tabs\tand\r\nline ends\n\n",
    "don't you'll we've I'M",
    "0 7 42 1234567890 3.14",
    "naïve café cafe\u0301",
    "Z\u0351\u036b\u0343a\u0300\u0301",
    "日本語のテキスト",
    "中文和 English",
    "Привет, мир!",
    "🙂 a🙂b",
    "👩‍👩‍👧‍👦 👍🏽 🇨🇭",
    "𝒳𝓎 zero\u200bwidth",
    "control \x00\x1f\x7f",
    "before<|endoftext|>after",
    "snake_case camelCase C:\\path https://example.org/?q=1",
    "a" * 100,
]
LOGIT_TOLERANCE = 1e-4
ENGINE_TOLERANCE = 2e-3
TOP = 5


class Mini:
    """The model in both libraries, its tokenizer and its SAEs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.fast = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.hf = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()
        self.hooked = hooked_gpt2(self.hf)
        found = sorted(path.parent for path in (folder / "saes").rglob("cfg.json"))
        self.saes = {path.relative_to(folder).as_posix(): SAE.load_from_disk(path) for path in found}

    def encode(self, text: str) -> list[int]:
        """Ids without special tokens, after the check that transformers and the plain tokenizer.json agree."""
        ids = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        assert ids == self.fast.encode(text, add_special_tokens=False).ids, text
        return ids

    def logits(self, ids: list[int]) -> torch.Tensor:
        """Hugging Face logits `[position, vocab]`, after the check that TransformerLens gives the same."""
        tokens = torch.tensor([ids])
        hf, hooked = self.hf(tokens).logits[0], self.hooked(tokens)[0]
        gap = (hf - hooked).abs().max().item()
        assert gap < LOGIT_TOLERANCE, f"transformers and TransformerLens differ by {gap}"
        return hf

    def ids_for(self, sae: SAE, text: str) -> list[int]:
        """The tokens an SAE is run on: after a BOS token when it was trained so."""
        bos = [self.hf.config.bos_token_id] if sae.cfg.metadata.prepend_bos else []
        return bos + self.encode(text)

    def run_sae(self, sae: SAE, ids: list[int]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Features `[position, d_sae]`, and target and reconstruction `[position, width]`."""
        into = sae.cfg.metadata.hook_name
        out = sae.cfg.metadata.hook_name_out or into
        _, cache = self.hooked.run_with_cache(torch.tensor([ids]), names_filter=[into, out])
        features = sae.encode(cache[into])[0]
        return features, cache[out][0].flatten(1), sae.decode(features[None])[0].flatten(1)


def top_tokens(mini: Mini, logits: torch.Tensor) -> list[dict]:
    best = logits.log_softmax(-1).topk(TOP)
    pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
    return [{"id": i, "token": mini.tokenizer.decode([i]), "logProb": round(p, 6)} for i, p in pairs]


def top_features(features: torch.Tensor) -> list[dict]:
    best = features.topk(min(TOP, features.numel()))
    pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
    return [{"index": i, "activation": round(a, 6)} for i, a in pairs if a > 0]


def measure(mini: Mini, sae: SAE, text: str) -> dict:
    """L0 and explained variance over a text, in windows of the context's length."""
    ids, size = mini.ids_for(sae, text), mini.hf.config.n_positions
    runs = [mini.run_sae(sae, ids[i : i + size]) for i in range(0, min(len(ids), 64 * size), size)]
    features, target, output = (torch.cat(parts) for parts in zip(*runs, strict=True))
    residual = ((target - output) ** 2).sum()
    spread = ((target - target.mean(0)) ** 2).sum()
    return {
        "tokens": len(features),
        "meanL0": round((features > 0).float().sum(-1).mean().item(), 4),
        "fractionOfVarianceExplained": round(1 - (residual / spread).item(), 5),
        "featuresSeen": int((features > 0).any(0).sum()),
    }


def record(mini: Mini, text: str) -> dict:
    predictions = []
    for prompt in PROMPTS:
        ids = mini.encode(prompt)
        predictions.append({"prompt": prompt, "ids": ids, "top": top_tokens(mini, mini.logits(ids)[-1])})
    saes = []
    for name, sae in mini.saes.items():
        prompts = []
        for prompt in PROMPTS[:2]:
            ids = mini.ids_for(sae, prompt)
            features = mini.run_sae(sae, ids)[0][-1]
            l0 = int((features > 0).sum())
            prompts.append({"prompt": prompt, "ids": ids, "activeFeatures": l0, "top": top_features(features)})
        shape = {"architecture": sae.cfg.architecture(), "dIn": sae.cfg.d_in, "dSae": sae.cfg.d_sae}
        onto = {"folder": name, "hook": sae.cfg.metadata.hook_name}
        saes.append({**onto, **shape, "onText": measure(mini, sae, text), "prompts": prompts})
    packages = ("torch", "transformers", "transformer-lens", "sae-lens", "tokenizers")
    return {
        "recordedWith": {name: version(name) for name in packages},
        "modelSha256": hashlib.sha256((mini.folder / "model.safetensors").read_bytes()).hexdigest(),
        "tokenizations": [{"text": t, "ids": mini.encode(t)} for t in TOKENIZED],
        "predictions": predictions,
        "saes": saes,
    }


def report(recorded: dict) -> None:
    for row in recorded["predictions"]:
        print(f"\n{row['prompt']!r}")
        for best in row["top"]:
            print(f"  {best['id']:6d} {best['token']!r:16} {best['logProb']:9.4f}")
    for row in recorded["saes"]:
        print(f"\n{row['folder']} ({row['architecture']}, {row['dIn']} → {row['dSae']}): {row['onText']}")
        for prompt in row["prompts"]:
            print(f"  {prompt['prompt']!r}: {prompt['top']}")


class Comparison:
    """Collects the disagreements of our engine's values with the recorded or recomputed ones."""

    def __init__(self) -> None:
        self.checked, self.failures = 0, []

    def same(self, what: str, ours, theirs) -> None:
        self.checked += 1
        if ours != theirs:
            self.failures.append(f"{what}: ours {ours}, theirs {theirs}")

    def near(self, what: str, ours: float, theirs: float) -> None:
        self.checked += 1
        if not abs(ours - theirs) <= ENGINE_TOLERANCE * max(1.0, abs(theirs)):
            self.failures.append(f"{what}: ours {ours}, theirs {theirs}")


def compare_recorded(ours: dict, recorded: dict, result: Comparison) -> None:
    """A file in the layout of mini.json; sections and rows may be left out."""

    def rows(section: str, key: str) -> list[tuple[dict, dict]]:
        theirs = {row[key]: row for row in recorded[section]}
        return [(row, theirs[row[key]]) for row in ours.get(section, []) if row[key] in theirs]

    for mine, theirs in rows("tokenizations", "text"):
        result.same(f"ids of {mine['text']!r}", mine["ids"], theirs["ids"])
    for mine, theirs in rows("predictions", "prompt"):
        compare_top(mine["prompt"], mine["top"], theirs["top"], "id", "logProb", result)
    for mine, theirs in rows("saes", "folder"):
        by_prompt = {row["prompt"]: row for row in theirs["prompts"]}
        for row in mine.get("prompts", []):
            if row["prompt"] in by_prompt:
                what = f"{mine['folder']} {row['prompt']!r}"
                compare_top(what, row["top"], by_prompt[row["prompt"]]["top"], "index", "activation", result)


def compare_top(what: str, ours: list, theirs: list, key: str, value: str, result: Comparison) -> None:
    expected = {row[key]: row[value] for row in theirs}
    result.same(f"{what}: {key}s", sorted(row[key] for row in ours), sorted(expected))
    for row in ours:
        if row[key] in expected:
            result.near(f"{what}: {key} {row[key]}", row[value], expected[row[key]])


def compare_features_output(mini: Mini, ours: dict, result: Comparison) -> None:
    """The output of `fovea features PROMPT --json`: everything is computed again from its token ids."""
    ids = [token["id"] for token in ours["tokens"]]
    sae = next((s for s in mini.saes.values() if s.cfg.metadata.hook_name == ours["sae"]), None)
    if sae is None:
        result.failures.append(f"no SAE for {ours['sae']}")
        return
    features, _, _ = mini.run_sae(sae, ids)
    log_probs = mini.logits(ids).log_softmax(-1)
    for position, token in enumerate(ours["tokens"]):
        here = f"{ours['sae']} position {position}"
        for feature in token["features"]:
            theirs = features[position, feature["index"]].item()
            result.near(f"{here} feature {feature['index']}", feature["activation"], theirs)
        best = features[position].topk(max(1, len(token["features"]))).values
        least = min((f["activation"] for f in token["features"]), default=0.0)
        result.near(f"{here} weakest of the strongest features", least, best[-1].item())
        given = token.get("probability")
        if given is not None and position > 0:
            result.near(f"{here} probability", given, log_probs[position - 1, token["id"]].exp().item())
        following = token.get("next")
        if following:
            result.near(f"{here} next", following["probability"], log_probs[position].max().exp().item())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=REPOSITORY / "models" / "mini")
    parser.add_argument("--out", type=Path, default=FIXTURES / "mini.json")
    parser.add_argument("--no-write", action="store_true", help="leave the recorded file as it is")
    parser.add_argument("--text", type=Path, help="text for L0 and explained variance (default: the prompts)")
    parser.add_argument("--compare", type=Path, nargs="*", default=[], help="JSON of our engine")
    options = parser.parse_args()

    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    mini = Mini(options.model)
    text = options.text.read_text(encoding="utf-8") if options.text else "\n".join(PROMPTS)
    recorded = record(mini, text)
    report(recorded)
    if not options.no_write:
        shown = json.dumps(recorded, ensure_ascii=True, indent=1)
        options.out.write_text(shown + "\n")
        print(f"\nwrote {options.out}")

    result = Comparison()
    for path in options.compare:
        ours = json.loads(path.read_text(encoding="utf-8"))
        if "tokens" in ours and "sae" in ours:
            compare_features_output(mini, ours, result)
        else:
            compare_recorded(ours, recorded, result)
    if options.compare:
        print(f"\ncompared {result.checked} values of our engine, {len(result.failures)} differ")
        print("\n".join(result.failures[:40]))
    sys.exit(1 if result.failures or (options.compare and result.checked == 0) else 0)


if __name__ == "__main__":
    main()
