"""Records what transformers reads from a model, so that Fovea can compare its own reading of these very weights.

    python record_reference.py MODEL [OUT]

MODEL is a folder or a GGUF file. OUT defaults to where Fovea looks: fovea-parity.json in the folder, or the GGUF file's
name with .fovea-parity.json behind it.
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

TEXT = "The keys to the cabinet are on the table. In 1987, she wrote: \"3 + 4 = 7\", and nobody noticed."
POSITIONS = 32
TOP = 50
# Logits kept at the positions before the last one.
FEW = 5


def place_of(model: Path) -> dict:
    """How transformers is told where the model lies."""
    if model.is_dir():
        return {"pretrained_model_name_or_path": model}
    return {"pretrained_model_name_or_path": model.parent, "gguf_file": model.name}


def tokens_of(model: Path, vocabulary: int) -> list[int]:
    """A fixed text in the model's own tokens, or ids from all over the vocabulary when there is no tokenizer."""
    if model.is_dir() and not (model / "tokenizer.json").exists():
        return [(7919 * i + 13) % vocabulary for i in range(POSITIONS)]
    ids = AutoTokenizer.from_pretrained(**place_of(model))(TEXT)["input_ids"]
    return [id for id in ids if id < vocabulary][:POSITIONS]


def logits_of(model: PreTrainedModel, tokens: list[int]) -> torch.Tensor:
    with torch.no_grad():
        return model(torch.tensor([tokens])).logits[0]


def kept(logits: torch.Tensor, position: int, last: bool) -> dict:
    """The largest logits of the last position; at the others the largest one and some spread over the vocabulary."""
    row = logits[position]
    if last:
        ids = row.topk(min(TOP, len(row))).indices.tolist()
    else:
        spread = [(position * 104729 + i * len(row) // FEW) % len(row) for i in range(1, FEW)]
        ids = sorted({row.argmax().item(), *spread})
    return {"position": position, "ids": ids, "logits": [round(row[id].item(), 6) for id in ids]}


def main() -> None:
    path = Path(sys.argv[1]).resolve()
    beside = path / "fovea-parity.json" if path.is_dir() else path.with_name(f"{path.name}.fovea-parity.json")
    out = Path(sys.argv[2]) if len(sys.argv) > 2 else beside
    torch.set_num_threads(1)
    eager = dict(attn_implementation="eager", dtype=torch.float32)
    model = AutoModelForCausalLM.from_pretrained(**place_of(path), **eager).eval()
    tokens = tokens_of(path, model.config.vocab_size)
    logits = logits_of(model, tokens)
    last = len(tokens) - 1
    content = {
        "format": "fovea-parity-1",
        "reference": f"transformers {version('transformers')} (eager, float32)",
        "torch": version("torch"),
        "tokens": tokens,
        "positions": [kept(logits, position, position == last) for position in range(last + 1)],
    }
    text = json.dumps(content)
    assert len(text) < 50_000, len(text)
    out.write_text(text + "\n")
    print(f"{out}: {len(text)} bytes, {len(tokens)} tokens, largest logit {logits[last].max():.4f}")


if __name__ == "__main__":
    main()
