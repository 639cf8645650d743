"""Runs the TransformerLens scripts that Fovea exports from the experiments of the fixtures, and records what they give.

    node scripts/build.mjs
    python record_experiments.py [NAME…]  # writes test/fixtures/parity/experiments/NAME.recorded.json, all when none is named
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import torch

REPOSITORY = Path(__file__).resolve().parents[2]
EXPERIMENTS = REPOSITORY / "test" / "fixtures" / "parity" / "experiments"
PROGRAM = os.environ.get("FOVEA_PROGRAM", str(REPOSITORY / "dist" / "cli.cjs"))


def rounded(value):
    """Numbers to seven significant digits, so that the file stays small and tells no noise."""
    if isinstance(value, float):
        return float(f"{value:.7g}")
    if isinstance(value, list):
        return [rounded(inner) for inner in value]
    if isinstance(value, dict):
        return {name: rounded(inner) for name, inner in value.items()}
    return value


def write_lens(folder: Path) -> None:
    """A tuned lens that is a formula, since its weights would be too large to keep: the test writes the same."""
    layers, width = 4, 128
    rows, columns = torch.arange(width).double()[:, None], torch.arange(width).double()[None, :]
    weights = {}
    for layer in range(layers):
        weights[f"{layer}.weight"] = (0.05 * torch.sin(0.1 * (layer + 1) * (rows - 2 * columns))).float()
        weights[f"{layer}.bias"] = (0.1 * torch.cos(rows[:, 0] + layer)).float()
    folder.mkdir()
    torch.save(weights, folder / "params.pt")


def record(experiment: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_lens(Path(folder) / "lens")
        script, results = Path(folder) / "script.py", Path(folder) / "results.json"
        copied = shutil.copy(experiment, folder)
        export = ["node", PROGRAM, "export", copied, "--transformer-lens", "--out", str(script)]
        subprocess.run(export, check=True)
        subprocess.run([sys.executable, str(script), str(results)], check=True)
        found = json.loads(results.read_text())
    found["recordedWith"] = {name: version(name) for name in ("torch", "transformers", "transformer-lens")}
    target = experiment.with_name(experiment.name.replace(".fovea.json", ".recorded.json"))
    target.write_text(json.dumps(rounded(found)) + "\n")
    print(f"wrote {target}")


def main() -> None:
    wanted = sys.argv[1:]
    for experiment in sorted(EXPERIMENTS.glob("*.fovea.json")):
        if not wanted or experiment.name.split(".")[0] in wanted:
            record(experiment)


if __name__ == "__main__":
    main()
