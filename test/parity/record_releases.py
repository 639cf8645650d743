"""Writes src/engine/sae/releases.json: the public releases that SAELens lists, compacted.

Columns of a release: ids, and where they differ from what the ids say, paths; L0; sources on Neuronpedia; scales.
Texts of a column are front-coded: each holds, as one character, how many characters it shares with the one before
(offset 32), and the rest. A path that ends in its id is written as `=` and what stands before the id.
"""

import json
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import yaml

OUT = Path(__file__).parents[2] / "src" / "engine" / "sae" / "releases.json"


def front_coded(texts: list[str]) -> list[str]:
    coded, before = [], ""
    for text in texts:
        shared = 0
        # Beyond 90 the character would leave printable ASCII.
        while shared < min(len(text), len(before), 90) and text[shared] == before[shared]:
            shared += 1
        coded.append(chr(32 + shared) + text[shared:])
        before = text
    return coded


def column(values: list, empty) -> list | None:
    return None if all(value == empty for value in values) else values


def number(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.12g}") if isinstance(value, float) else value


def path_of(sae: dict) -> str:
    return "=" + sae["path"][: -len(sae["id"])] if sae["path"].endswith(sae["id"]) else sae["path"]


def compact(name: str, release: dict) -> dict:
    saes = [{**sae, "id": str(sae["id"]), "path": str(sae["path"])} for sae in release["saes"] if "path" in sae and "id" in sae]
    overrides = release.get("config_overrides") or {}
    columns = {
        "ids": front_coded([sae["id"] for sae in saes]),
        "paths": front_coded([path_of(sae) for sae in saes]),
        "l0": column([number(sae.get("l0")) or 0 for sae in saes], 0),
        "neuronpedia": column([sae.get("neuronpedia") or "" for sae in saes], ""),
        "scales": column([number(sae.get("norm_scaling_factor")) or 0 for sae in saes], 0),
    }
    if columns["neuronpedia"]:
        columns["neuronpedia"] = front_coded(columns["neuronpedia"])
    if columns["l0"]:
        columns["l0"] = [round(value, 1) if isinstance(value, float) else value for value in columns["l0"]]
    kwargs = overrides.get("model_from_pretrained_kwargs") or {}
    entry = {
        "release": name,
        "model": release["model"],
        "repo": release["repo_id"],
        "loader": release.get("conversion_func") or "sae_lens",
        "centered": kwargs.get("center_writing_weights") or None,
        "normalize": overrides.get("normalize_activations"),
        **columns,
    }
    return {key: value for key, value in entry.items() if value is not None}


def main() -> None:
    source = yaml.safe_load(files("sae_lens").joinpath("pretrained_saes.yaml").read_text())
    releases = [compact(name, release) for name, release in sorted(source.items())]
    document = {"source": f"sae-lens {version('sae-lens')}, pretrained_saes.yaml", "releases": releases}
    text = ",\n".join(json.dumps(release, separators=(",", ":"), ensure_ascii=False) for release in releases)
    OUT.write_text(f'{{"source":{json.dumps(document["source"])},"releases":[\n{text}\n]}}\n')


if __name__ == "__main__":
    main()
