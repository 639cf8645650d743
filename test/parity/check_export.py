"""Exports recorded SAEs with `fovea sae export` and loads them with SAELens and dictionary_learning: outputs must be equal.

python check_export.py [path of cli.cjs]; needs what record_sae_formats.py needs, and a built dist/cli.cjs.
"""

import json
import subprocess
import sys
import tempfile
import types
from pathlib import Path

import torch
from safetensors.torch import load_file

sys.modules["nnsight"] = types.ModuleType("nnsight")
sys.modules["nnsight"].LanguageModel = object
sys.modules["nnsight"].CONFIG = types.SimpleNamespace()

from dictionary_learning.utils import load_dictionary
from sae_lens import SAE

HERE = Path(__file__).parent
CLI = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parents[1] / "dist" / "cli.cjs"
FIXTURES = HERE.parent / "fixtures" / "parity" / "sae_formats"
TOLERANCE = 1e-4


def saelens(folder: Path, x: torch.Tensor, heads: int | None) -> tuple[torch.Tensor, torch.Tensor]:
    sae = SAE.load_from_disk(folder)
    shaped = x.reshape(len(x), heads, -1) if heads else x
    return sae.encode(shaped), sae(shaped).reshape(len(x), -1)


def dictionary(folder: Path, x: torch.Tensor, heads: int | None) -> tuple[torch.Tensor, torch.Tensor]:
    loaded, _ = load_dictionary(str(folder), "cpu")
    features = loaded.encode(x)
    return features, loaded.decode(features)


def main() -> None:
    recorded = load_file(FIXTURES / "recorded.safetensors")
    cases = [case for case in json.loads((FIXTURES / "about.json").read_text())["cases"] if "id" in case]
    counts = {"equal": 0, "refused": 0}
    for case in cases:
        for name, load in (("SAELens", saelens), ("dictionary_learning", dictionary)):
            with tempfile.TemporaryDirectory() as out:
                command = ["node", CLI, "sae", "export", FIXTURES / case["id"], "--format", name, "--out", out]
                done = subprocess.run(command, capture_output=True, text=True)
                if done.returncode != 0:
                    assert "which the other library has no way to say" in done.stderr, (case["case"], done.stderr)
                    counts["refused"] += 1
                    continue
                heads = 4 if case["hook"].endswith("hook_z") else None
                with torch.no_grad():
                    features, output = load(Path(out), recorded["input"], heads)
                first = 1 if case.get("masked") else 0
                for found, what in ((features, "features"), (output, "output")):
                    gap = (found - recorded[f"{case['case']}/{what}"])[first:].abs().max().item()
                    assert gap < TOLERANCE, (case["case"], name, what, gap)
                counts["equal"] += 1
    print(f"{counts['equal']} exports give equal features and outputs within {TOLERANCE}, {counts['refused']} were refused")


if __name__ == "__main__":
    main()
