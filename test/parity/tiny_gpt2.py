"""Builds the tiny GPT-2 of the fixtures and loads it into TransformerLens without any weight processing."""

from pathlib import Path

import torch
from safetensors.torch import save_file
from transformer_lens import HookedTransformer, HookedTransformerConfig
from transformer_lens.pretrained.weight_conversions import convert_gpt2_weights
from transformers import GPT2Config, GPT2LMHeadModel

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures" / "parity"
MODEL_FOLDER = FIXTURES / "gpt2"
RECORDED_FOLDER = FIXTURES / "gpt2-recorded"

TINY_CONFIG = dict(
    vocab_size=101,
    n_positions=48,
    n_embd=32,
    n_layer=3,
    n_head=4,
    activation_function="gelu_new",
    layer_norm_epsilon=1e-5,
    bos_token_id=100,
    eos_token_id=100,
    resid_pdrop=0.0,
    embd_pdrop=0.0,
    attn_pdrop=0.0,
)

# Standard deviations chosen so that attention scores spread by about 2 and no head is close to uniform.
WEIGHT_STD = {
    "wte.weight": 0.3,
    "wpe.weight": 0.3,
    "attn.c_attn.weight": 0.25,
    "attn.c_proj.weight": 0.15,
    "mlp.c_fc.weight": 0.2,
    "mlp.c_proj.weight": 0.15,
}


def random_gpt2(seed: int, **overrides) -> GPT2LMHeadModel:
    """A GPT-2 whose every parameter, LayerNorm gains and all biases included, is drawn from a seeded generator."""
    model = GPT2LMHeadModel(GPT2Config(**{**TINY_CONFIG, **overrides}))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            std = next((s for suffix, s in WEIGHT_STD.items() if name.endswith(suffix)), None)
            if std is not None:
                parameter.copy_(noise * std)
            elif name.endswith("bias"):
                parameter.copy_(noise * 0.1)
            else:
                parameter.copy_(1 + noise * 0.1)
    return model.eval()


def load_hf(folder: Path, dtype: torch.dtype = torch.float32) -> GPT2LMHeadModel:
    """The saved model in Hugging Face transformers, with plain (eager) attention."""
    return GPT2LMHeadModel.from_pretrained(folder, attn_implementation="eager", dtype=dtype).eval()


def hooked_gpt2(hf: GPT2LMHeadModel, dtype: torch.dtype = torch.float32) -> HookedTransformer:
    """The same weights in TransformerLens: nothing folded, nothing centred, no BOS put in front."""
    config = hf.config
    cfg = HookedTransformerConfig(
        n_layers=config.n_layer,
        d_model=config.n_embd,
        n_ctx=config.n_positions,
        d_head=config.n_embd // config.n_head,
        n_heads=config.n_head,
        d_mlp=config.n_inner or 4 * config.n_embd,
        d_vocab=config.vocab_size,
        act_fn=config.activation_function,
        eps=config.layer_norm_epsilon,
        normalization_type="LN",
        default_prepend_bos=False,
        use_attn_result=True,
        device="cpu",
        dtype=dtype,
    )
    model = HookedTransformer(cfg)
    model.load_and_process_state_dict(
        convert_gpt2_weights(hf, cfg),
        fold_ln=False,
        center_writing_weights=False,
        center_unembed=False,
        fold_value_biases=False,
    )
    return model.eval()


def save_tensors(tensors: dict[str, torch.Tensor], path: Path) -> None:
    """Writes detached contiguous copies, so that tensors which share memory may be saved side by side."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: t.detach().clone().contiguous() for name, t in tensors.items()}, path)
    path.chmod(0o644)
