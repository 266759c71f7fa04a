"""Prompts encoded by a pipeline without its network, and used by one without encoders."""

import pytest
import torch

from tests.priors.pretrained.tiny import FAMILIES, TEXT, t5, tokenizer
from vipaint_pyro.pipelines.vipaint import VIPaintPipeline
from vipaint_pyro.priors.pretrained.text import TEXT_COMPONENTS

pytest.importorskip("transformers")
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
WITHOUT_ENCODERS = {name: None for name in TEXT_COMPONENTS}
WITHOUT_NETWORKS = {"unet": None, "transformer": None, "vae": None}


@pytest.mark.parametrize("name", TEXT)
def test_the_embeddings_of_encoders_alone_serve_a_pipeline_without_any(name, tmp_path):
    source = FAMILIES[name]()
    if name == "stable_diffusion_3":
        source.register_modules(text_encoder_3=t5(), tokenizer_3=tokenizer())
    source.save_pretrained(tmp_path)
    whole = VIPaintPipeline.from_pretrained(tmp_path)
    parts = {k: None for k in WITHOUT_NETWORKS if k in whole.config and whole.components[k] is not None}
    encoders = VIPaintPipeline.from_pretrained(tmp_path, **parts)
    assert encoders.unet is None and encoders.transformer is None
    embedded = whole.prior.guidance_embedded
    prompt, negative = encoders.encode_prompt("a cat", None if embedded else "fog")
    there = {k: None for k in WITHOUT_ENCODERS if whole.components[k] is not None}
    painter = VIPaintPipeline.from_pretrained(tmp_path, **there)
    assert painter.text_encoder is None
    z, scale = torch.randn(1, *whole.prior.latent_shape), {"guidance_scale": 3.0}
    texts = {"prompt": "a cat"} if embedded else {"prompt": "a cat", "negative_prompt": "fog"}
    expected = whole.conditioned(1, **texts, **scale).denoise(z, 500)
    found = painter.conditioned(1, prompt_embeds=prompt, negative_prompt_embeds=negative, **scale).denoise(z, 500)
    assert torch.equal(found, expected)


def test_what_encoders_alone_cannot_do(tmp_path):
    FAMILIES["stable_diffusion_3"]().save_pretrained(tmp_path)
    encoders = VIPaintPipeline.from_pretrained(tmp_path, transformer=None, vae=None)
    with pytest.raises(ValueError, match="without text_encoder_3 the transformer says how wide"):
        encoders.encode_prompt("a cat")
    with pytest.raises(ValueError, match="prompt is a text"):
        encoders.encode_prompt(3)
    with pytest.raises(ValueError, match="the text encoders are not loaded"):
        VIPaintPipeline().encode_prompt("a cat")
    with pytest.raises(ValueError):
        encoders(torch.rand(3, 16, 16), torch.eye(16), prompt="a cat")
