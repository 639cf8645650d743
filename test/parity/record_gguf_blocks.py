"""Records blocks of every quantised format that Fovea reads, and what the Python package `gguf` makes of them.

    pip install -r test/parity/requirements.txt
    python test/parity/record_gguf_blocks.py

Bytes are random, so that every bit of a block is used; scales take special values as well: zero, negative zero,
negative, subnormal, the largest. Writes test/fixtures/parity/gguf/blocks.json (base64 of little-endian bytes).
"""

import base64
import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import dequantize

# Where a block has its 16-bit scales.
SCALES = {
    "Q8_0": [0],
    "Q4_0": [0],
    "Q4_1": [0, 2],
    "Q5_0": [0],
    "Q5_1": [0, 2],
    "Q4_K": [0, 2],
    "Q5_K": [0, 2],
    "Q6_K": [208],
}
# 0, −0, 1, −1, the smallest subnormal, a negative one, the largest, an ordinary number, its negative.
SPECIAL = [0x0000, 0x8000, 0x3C00, 0xBC00, 0x0001, 0x83FF, 0x7BFF, 0x211F, 0xA97D]


def text(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def blocks_of(name: str, random: np.random.Generator) -> np.ndarray:
    _, size = GGML_QUANT_SIZES[GGMLQuantizationType[name]]
    # Every special value once as each scale, and three blocks with random ordinary scales.
    scales = SCALES[name]
    count = len(SPECIAL) * len(scales) + 3
    blocks = random.integers(0, 256, (count, size), dtype=np.uint8)
    for block in range(count):
        for offset in scales:
            ordinary = np.float16(random.normal() * 0.02)
            blocks[block, offset : offset + 2] = np.array([ordinary]).view(np.uint8)
    for i, offset in enumerate(scales):
        for j, bits in enumerate(SPECIAL):
            blocks[i * len(SPECIAL) + j, offset : offset + 2] = np.array([bits], dtype=np.uint16).view(np.uint8)
    return blocks


def main() -> None:
    random = np.random.default_rng(20)
    entries = {}
    for name in SCALES:
        blocks = blocks_of(name, random)
        numbers = dequantize(blocks, GGMLQuantizationType[name]).astype("<f4")
        entries[name] = {"blocks": text(blocks), "float32": text(numbers)}
    halves = np.array([*SPECIAL, 0x7C00, 0xFC00, 0x1234], dtype="<u2")
    for name in ["F16", "BF16"]:
        numbers = dequantize(halves.view(np.uint8).reshape(1, -1), GGMLQuantizationType[name]).astype("<f4")
        entries[name] = {"blocks": text(halves), "float32": text(numbers)}
    floats = np.array([0.0, -0.0, 1e-45, -3.4e38, np.inf, 0.1], dtype="<f4")
    entries["F32"] = {"blocks": text(floats), "float32": text(floats)}
    path = Path(__file__).parent.parent / "fixtures/parity/gguf/blocks.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"gguf": version("gguf"), "types": entries}, indent=1) + "\n")
    print(path, path.stat().st_size)


if __name__ == "__main__":
    main()
