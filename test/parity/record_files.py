"""Records small .npz and PyTorch files as NumPy and PyTorch write them, and the numbers they hold as safetensors.

`files/recorded.safetensors` holds every array and tensor of the other files under `<file>/<name>`, in row-major order.
"""

import shutil
import zipfile
from collections import OrderedDict

import numpy as np
import torch
from safetensors.torch import save_file
from tiny_gpt2 import FIXTURES

FOLDER = FIXTURES / "files"


def arrays(seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    weights = random.standard_normal((6, 5)).astype(np.float32)
    return {
        "W_enc": weights,
        "W_fortran": np.asfortranarray(random.standard_normal((2, 3, 4)).astype(np.float32)),
        "b_half": random.standard_normal(7).astype(np.float16),
        "double": random.standard_normal((2, 2)),
        "big_endian": random.standard_normal((3, 2)).astype(">f4"),
        "ids": np.array([[1, -2], [2**40, 4]], dtype=np.int64),
        "small": np.array([-5, 7], dtype=np.int32),
        "bytes": np.array([0, 128, 255], dtype=np.uint8),
        "mask": np.array([True, False, True]),
        "scalar": np.array(2.5, dtype=np.float32),
        "empty": np.zeros((0, 5), dtype=np.float32),
    }


def checkpoint(seed: int) -> dict:
    torch.manual_seed(seed)
    base = torch.randn(6, 5)
    tied = torch.randn(4, 3)
    model = torch.nn.Linear(3, 2)
    return {
        "base": base,
        "transposed": base.t(),
        "column": base[:, 2],
        "slice": base[2:5],
        "permuted": torch.randn(2, 3, 4).permute(2, 0, 1),
        "expanded": torch.randn(3, 1).expand(3, 4),
        "tied": tied,
        "tied_again": tied,
        "parameter": torch.nn.Parameter(torch.randn(3)),
        "half": torch.randn(5).half(),
        "brain": torch.randn(5).bfloat16(),
        "double": torch.randn(2, 2).double(),
        "ids": torch.tensor([[1, -2], [2**40, 4]]),
        "small": torch.tensor([-5, 7], dtype=torch.int32),
        "bytes": torch.tensor([0, 128, 255], dtype=torch.uint8),
        "mask": torch.tensor([True, False, True]),
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 5),
        "module": model.state_dict(),
        "state": {0: {"step": torch.tensor(3.0)}},
    }


def plain() -> dict:
    return {
        "step": 12,
        "large": 2**70,
        "negative": -(2**40),
        "rate": 1e-3,
        "name": "ünïcode 🙂",
        "flag": True,
        "nothing": None,
        "dtype": torch.bfloat16,
        "device": torch.device("cuda", 1),
        "size": torch.Size([2, 3]),
        "pair": (1, "two"),
        "list": [1.5, [2, 3]],
        "ordered": OrderedDict(a=1),
        "set": {7},
    }


def flat(name: str, value, out: dict) -> dict:
    if isinstance(value, torch.Tensor):
        out[name] = value.detach().contiguous().clone()
    elif isinstance(value, dict):
        for key, child in value.items():
            flat(f"{name}.{key}" if name else str(key), child, out)
    return out


def repack_deflated(source, target) -> None:
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))


def main() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    recorded: dict[str, torch.Tensor] = {}
    for name, save in [("stored.npz", np.savez), ("deflated.npz", np.savez_compressed)]:
        given = arrays(len(recorded))
        save(FOLDER / name, **given)
        for key, array in given.items():
            native = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("=")).reshape(array.shape)
            recorded[f"{name}/{key}"] = torch.from_numpy(native)
    given = {**checkpoint(3), **plain()}
    torch.save(given, FOLDER / "checkpoint.pt")
    torch.save(given, FOLDER / "protocol4.pt", pickle_protocol=4)
    torch.save(given, FOLDER / "protocol5.pt", pickle_protocol=5)
    torch.save(given, FOLDER / "legacy.pt", _use_new_zipfile_serialization=False)
    repack_deflated(FOLDER / "checkpoint.pt", FOLDER / "deflated.pt")
    torch.save({"wide": torch.arange(3).to(torch.uint16), "alone": torch.ones(2)}, FOLDER / "untyped.pt")
    torch.save(torch.nn.Linear(2, 2), FOLDER / "module.pt")
    torch.save({"numpy": np.float32(1.5)}, FOLDER / "numpy_scalar.pt")
    for key, tensor in flat("", given, {}).items():
        recorded[f"checkpoint.pt/{key}"] = tensor
    save_file(recorded, FOLDER / "recorded.safetensors")


if __name__ == "__main__":
    main()
