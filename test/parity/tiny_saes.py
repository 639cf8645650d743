"""Builds the tiny random SAEs of the fixtures, one of each architecture and input treatment."""

import torch
from sae_lens import (
    SAE,
    BatchTopKTrainingSAE,
    BatchTopKTrainingSAEConfig,
    GatedSAE,
    GatedSAEConfig,
    JumpReLUSAE,
    JumpReLUSAEConfig,
    StandardSAE,
    StandardSAEConfig,
    TopKSAE,
    TopKSAEConfig,
)
from sae_lens.saes.sae import SAEMetadata

D_IN, D_SAE, HEADS = 32, 64, 4
SPLICE_HOOK = "blocks.1.hook_resid_post"


def metadata(hook_name: str) -> SAEMetadata:
    return SAEMetadata(
        model_name="tiny-gpt2",
        hook_name=hook_name,
        hook_head_index=None,
        model_class_name="HookedTransformer",
        model_from_pretrained_kwargs={},
        prepend_bos=False,
        context_size=48,
    )


def shared(hook_name: str = SPLICE_HOOK, **settings) -> dict:
    return dict(d_in=D_IN, d_sae=D_SAE, dtype="float32", device="cpu", metadata=metadata(hook_name), **settings)


def randomise(sae: SAE, seed: int) -> SAE:
    """Draws every parameter; decoder rows differ in norm and biases are negative, so that few features fire."""
    generator = torch.Generator().manual_seed(seed)

    def noise(shape: torch.Size, std: float, mean: float = 0.0) -> torch.Tensor:
        return torch.randn(shape, generator=generator) * std + mean

    with torch.no_grad():
        for name, parameter in sorted(sae.named_parameters()):
            draw = {
                "W_dec": lambda s: noise(s, 0.17) * (0.5 + torch.rand(s[0], 1, generator=generator) * 1.5),
                "W_enc": lambda s: noise(s, 0.17),
                "b_dec": lambda s: noise(s, 0.4),
                "b_enc": lambda s: noise(s, 0.3, -1.0),
                "b_gate": lambda s: noise(s, 0.3, -1.0),
                "b_mag": lambda s: noise(s, 0.3, 0.2),
                "r_mag": lambda s: noise(s, 0.3),
                "threshold": lambda s: 0.2 + torch.rand(s, generator=generator),
            }[name]
            parameter.copy_(draw(parameter.shape))
    return sae


def random_saes() -> dict[str, SAE]:
    return {
        "standard": randomise(StandardSAE(StandardSAEConfig(**shared())), 11),
        "standard_no_b_dec": randomise(StandardSAE(StandardSAEConfig(**shared(apply_b_dec_to_input=False))), 12),
        "standard_layer_norm": randomise(StandardSAE(StandardSAEConfig(**shared(normalize_activations="layer_norm"))), 13),
        "standard_constant_norm": randomise(
            StandardSAE(StandardSAEConfig(**shared(normalize_activations="constant_norm_rescale"))), 14
        ),
        "standard_hook_z": randomise(
            StandardSAE(StandardSAEConfig(**shared("blocks.1.attn.hook_z", reshape_activations="hook_z"))), 15
        ),
        "topk": randomise(TopKSAE(TopKSAEConfig(**shared(), k=5)), 16),
        "topk_rescaled": randomise(TopKSAE(TopKSAEConfig(**shared(), k=5, rescale_acts_by_decoder_norm=True)), 17),
        "jumprelu": randomise(JumpReLUSAE(JumpReLUSAEConfig(**shared())), 18),
        "gated": randomise(GatedSAE(GatedSAEConfig(**shared())), 19),
        "batchtopk": random_batchtopk(20),
    }


def random_batchtopk(seed: int) -> BatchTopKTrainingSAE:
    """A training SAE, which SAELens writes for inference as a JumpReLU SAE with one threshold."""
    sae = BatchTopKTrainingSAE(BatchTopKTrainingSAEConfig(**shared(), k=5))
    randomise(sae, seed)
    sae.topk_threshold.fill_(0.37)
    return sae
