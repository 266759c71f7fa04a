"""A study's folder, written by hand in the format that vipaint evaluate keeps."""

import json

import numpy as np
import PIL.Image
import torch
from safetensors.torch import save_file

VERSIONS = {"vipaint-pyro": "0.1.0", "torch": "2.6.0", "python": "3.11"}


def file_name(method):
    return method.translate(str.maketrans(":=;", "---"))


class Study:
    """Writes a plan, records, truths, masks and samples."""

    def __init__(self, folder, methods, conditions=("rotated",), images=3, samples=2, first=0, **plan):
        self.folder, self.samples = folder, samples
        plan = {"prior": "fashion-mnist", "data": "fashion-mnist", "split": "test", "first": first, "images": images,
                "samples": samples, "methods": [*methods], "conditions": [*conditions], "labels": "true", "seed": 0,
                "lpips": "alex", "settings": None, "keep": "few", **plan}  # fmt: skip
        self.write("plan.json", {"plan": plan, "weights": "0123456789ab", "versions": VERSIONS})

    def write(self, name, said):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(said))
        return path

    def path(self, kind, condition, method, image, ending):
        return self.folder / kind / condition / file_name(method) / f"{image:05d}.{ending}"

    def add(self, condition, method, image, lpips=0.1, forward=10, seconds=1.0, error=None, **scores):
        """A record whose scores are numbers (the same for all samples), or lists."""
        given = {"lpips_composite": lpips} | scores
        listed = {"lpips_composite", "lpips_raw", "psnr", "ssim", "observed_error"}
        scores = {k: [v] * self.samples if k in listed and not isinstance(v, list) else v for k, v in given.items()}
        sampler = {"class": "DPSSampler", "zeta": 1.0, "num_steps": forward}
        said = {
            "item": {"image": image, "condition": condition, "method": method},
            "settings": {"sampler": sampler, "num_samples": self.samples, "seed": 0, "label": 9, "prompt": None,
                         "prior": "fashion-mnist", "condition": {"name": condition, "options": {}, "sigma": 0.05}},
            "versions": VERSIONS, "weights": "0123456789ab", "lpips_net": "alex", "features": "fashion-classifier",
            "scores": None if error else scores,
            "calls": {"forward": forward, "backward": max(0, forward - 1), "phases": {"refinement": forward}},
            "seconds": seconds, "peak_memory_mib": None,
            "error": error,
        }  # fmt: skip
        path = self.path("records", condition, method, image, "json")
        return self.write(path.relative_to(self.folder), said)

    def truth(self, image, array):
        self.save_png(self.folder / "truth" / f"{image:05d}.png", array)

    def mask(self, condition, image, hole):
        self.save_png(self.folder / "masks" / condition / f"{image:05d}.png", hole.astype(np.uint8) * 255)

    def drawn(self, condition, method, image, samples):
        path = self.path("samples", condition, method, image, "safetensors")
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({"samples": torch.as_tensor(samples, dtype=torch.uint8)}, path)
        return path

    @staticmethod
    def save_png(path, array):
        path.parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(array).save(path)
