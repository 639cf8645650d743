"""Runs the TransformerLens scripts that Fovea exports from the experiments of the fixtures, and records what they give.

    node scripts/build.mjs
    python record_experiments.py          # writes test/fixtures/parity/experiments/*.recorded.json
"""

import json
import os
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

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


def record(experiment: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        script, results = Path(folder) / "script.py", Path(folder) / "results.json"
        export = ["node", PROGRAM, "export", str(experiment), "--transformer-lens", "--out", str(script)]
        subprocess.run(export, check=True)
        subprocess.run([sys.executable, str(script), str(results)], check=True)
        found = json.loads(results.read_text())
    found["recordedWith"] = {name: version(name) for name in ("torch", "transformers", "transformer-lens")}
    target = experiment.with_name(experiment.name.replace(".fovea.json", ".recorded.json"))
    target.write_text(json.dumps(rounded(found)) + "\n")
    print(f"wrote {target}")


def main() -> None:
    for experiment in sorted(EXPERIMENTS.glob("*.fovea.json")):
        record(experiment)


if __name__ == "__main__":
    main()
