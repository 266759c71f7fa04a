"""Observed pixels come back as they were given, to the last bit, whatever they were given as."""

import numpy as np
import PIL.Image
import pytest
import torch
from diffusers import DDPMScheduler

from tests.conftest import tiny_unet
from tests.pipelines.test_vipaint import quiet
from vipaint_pyro.pipelines.vipaint import VIPaintPipeline

SIDE = 8
FLOATS = {"float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32, "float64": torch.float64}
KINDS = ("tensor-uint8", "numpy-uint8", "numpy-float16", "numpy-float32", "numpy-float64", "pil", "pil-alpha", "pil-P")
KINDS += tuple(f"tensor-{name}" for name in FLOATS)
MASKS = ("pil", "numpy-uint8", "numpy-bool", "numpy-float64", "tensor-bool", "tensor-float32")
LAYOUTS = ("one", "list", "batch", "strided")


@pytest.fixture(scope="module")
def pipes():
    return {c: quiet(VIPaintPipeline(tiny_unet(c), DDPMScheduler(clip_sample=False))) for c in (1, 3)}


def made(rng, kind: str, channels: int, hidden: np.ndarray):
    """One image of a kind, and its values as float64 (C, H, W), exactly."""
    form, _, dtype = kind.partition("-")
    if form == "pil":
        shades = np.repeat(rng.integers(0, 256, 6, dtype=np.uint8), 3) if channels == 1 else rng.integers(0, 256, 18)
        eight = rng.integers(0, 256, (SIDE, SIDE, channels), dtype=np.uint8)
        if dtype == "P":
            index = rng.integers(0, 6, (SIDE, SIDE), dtype=np.uint8)
            image = PIL.Image.fromarray(index, mode="P")
            image.putpalette(shades.astype(np.uint8).tolist())
            eight = shades.astype(np.uint8).reshape(6, 3)[index][..., :channels]
        else:
            image = PIL.Image.fromarray(eight[..., 0] if channels == 1 else eight)
            if dtype == "alpha":
                image.putalpha(PIL.Image.fromarray(np.where(hidden, 0, 255).astype(np.uint8)))
        return image, torch.from_numpy(eight.copy()).permute(2, 0, 1)
    x = torch.from_numpy(rng.random((channels, SIDE, SIDE)))
    x = (x * 255).round().to(torch.uint8) if dtype == "uint8" else x.to(FLOATS[dtype])
    return (x if form == "tensor" else x.permute(1, 2, 0).contiguous().numpy()), x


def mask_of(kind: str, hidden: np.ndarray):
    form, _, dtype = kind.partition("-")
    if form == "pil":
        return PIL.Image.fromarray(np.where(hidden, 255, 0).astype(np.uint8))
    array = {"uint8": hidden.astype(np.uint8) * 255, "bool": hidden, "float64": hidden * 0.9}.get(dtype)
    array = hidden.astype(np.float32) if array is None else array
    return array if form == "numpy" else torch.from_numpy(array.copy())[None]


def laid_out(rng, images: list, layout: str):
    """One image, a list, a batch or views with strides of their own."""
    if isinstance(images[0], PIL.Image.Image) or layout == "list":
        return images[0] if len(images) == 1 and layout == "one" else images
    if layout == "strided":
        return [i.flip(-1).flip(-1) if isinstance(i, torch.Tensor) else i[::-1][::-1] for i in images]
    if layout == "one" and len(images) == 1:
        return images[0]
    return torch.stack(images) if isinstance(images[0], torch.Tensor) else np.stack(images)


def combination(seed: int, pipes) -> str:
    """Draw a combination and return what it was; raises where an observed pixel has changed."""
    rng = np.random.default_rng(seed)
    channels, count = int(rng.choice([1, 3])), int(rng.choice([1, 2, 3]))
    kind, masked, layout = str(rng.choice(KINDS)), str(rng.choice(MASKS)), str(rng.choice(LAYOUTS))
    output_type = str(rng.choice(["pil", "np", "pt"]))
    hidden = [rng.random((SIDE, SIDE)) < rng.uniform(0.1, 0.9) for _ in range(count)]
    for h in hidden:
        h[0, 0], h[-1, -1] = True, False
    images, values = zip(*(made(rng, kind, channels, h) for h in hidden))
    alpha = kind == "pil-alpha"
    masks = "alpha" if alpha else [mask_of(masked, h) for h in hidden]
    output = pipes[channels](
        laid_out(rng, list(images), layout), masks, method="blended", num_inference_steps=1, num_samples=2,
        generator=torch.Generator().manual_seed(seed), output_type=output_type,
    )  # fmt: skip
    said = f"seed {seed}: {kind}, {masked}, {layout}, {count} of {channels} channels, {output_type}"
    for n, (x, h) in enumerate(zip(values, hidden)):
        keep = torch.from_numpy(~h)
        for s in range(2):
            image = output.images[2 * n + s]
            if output_type == "pil":
                back = torch.from_numpy(np.asarray(image).reshape(SIDE, SIDE, channels).copy()).permute(2, 0, 1)
                # Pictures have 8 bits: those of an 8-bit one are its own, others are rounded.
                wide = x.to(torch.promote_types(x.dtype, torch.float32))
                expected = x if x.dtype == torch.uint8 else (wide * 255).round().to(torch.uint8)
            else:
                back = image if output_type == "pt" else torch.from_numpy(image).permute(2, 0, 1)
                expected = x.float() / 255 if x.dtype == torch.uint8 else x
                assert back.dtype == torch.promote_types(expected.dtype, torch.float32), said
                expected = expected.to(back.dtype)
            assert torch.equal(back[:, keep], expected[:, keep]), said
    return said


def test_a_hundred_combinations(pipes):
    assert len({combination(seed, pipes).split(": ")[1] for seed in range(100)}) > 90


@pytest.mark.long
@pytest.mark.slow
def test_a_thousand_combinations(pipes):
    for seed in range(1000):
        combination(seed, pipes)


def test_a_list_of_several_precisions_keeps_the_widest(pipes):
    rng = np.random.default_rng(0)
    wide, narrow = rng.random((SIDE, SIDE)), rng.random((SIDE, SIDE)).astype(np.float16)
    mask = np.eye(SIDE, dtype=bool)
    images = pipes[1](
        [narrow, wide], mask, method="blended", num_inference_steps=1, num_samples=1, output_type="np"
    ).images
    assert images.dtype == np.float64
    for given, back in zip((narrow, wide), images):
        np.testing.assert_array_equal(back[..., 0][~mask], given[~mask].astype(np.float64))
