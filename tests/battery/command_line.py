"""Bad command lines, and what a good one is: names of pictures are those that ``pictures`` writes."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import PIL.Image

FEW = ["--fit-steps", "2", "--refinement-steps", "3", "--samples", "2", "--quiet"]
GOOD = {
    "inpaint": ["inpaint", "image.png", "mask.png", "--prior", "prior", *FEW],
    "restore": ["restore", "small.png", "--prior", "prior", "--task", "super-resolution", "--scale", "2", *FEW],
    "fit": ["fit", "image.png", "mask.png", "--prior", "prior", "--fit-steps", "2", "--quiet", "--out", "new"],
    "draw": ["draw", "none", "--quiet"],
    "demo": ["demo", *FEW],
    "exact": ["exact", "exact", "--problems", "2", "--samples", "100"],
    "ablate": ["ablate", "--on", "8,1", "--beta", "1", "--problems", "2", "--samples", "100"],
}
NUMBERS = ["", " ", "x", "nan", "inf", "-inf", "-1", "0", "1e308e", "1_0x", "\u0663x", "None", "1,5", "[1]"]
WHOLE = [*NUMBERS[:8], "1.5", "1e9", "10" * 20, "True", "0x10", "\u00bd"]
WORDS = ["", " ", "x", "No Such", "\u00e9", "None", "hierarchicall", "0"]

OPTIONS = {
    "--fit-steps": WHOLE,
    "--fit-patience": [*[v for v in WHOLE if v != "0"], "1"],
    "--effort": [*WORDS, "drft", "Best"],
    "--num-chains": WHOLE,
    "--transitions": WHOLE,
    "--refinement-steps": [*WHOLE, "2000"],
    "--sweeps": [*WHOLE, "3"],
    "--sweep-levels": [*WHOLE, "2"],
    "--samples": WHOLE,
    "--seed": [v for v in WHOLE if v != "0" and v != "1e9"] + ["1e9", str(2**63)],
    "--chunk": WHOLE,
    "--num-particles": WHOLE,
    "--beta": NUMBERS,
    "--eta": [*NUMBERS, "1.5"],
    "--noise-scale": NUMBERS,
    "--fraction": [v for v in NUMBERS if v != "inf"],  # no bound, as None settles for pixel priors
    "--measurement-scale": [v for v in NUMBERS if v != "0"],  # no noise, likewise
    "--zeta": [v for v in NUMBERS if v != "0"],
    "--perceptual": [*[v for v in NUMBERS if v != "0"], "1e308"],
    "--perceptual-refinement": [*[v for v in NUMBERS if v != "0"]],
    "--perceptual-net": WORDS,
    "--loss": WORDS,
    "--correct": WORDS,
    "--refine": [*WORDS, "mmps,tds"],
    "--guide": [*WORDS, "red-diff", ":", "no.such:Guide", "image.png:Guide", "mixture:spread=1", "os:path"],
    "--guide-set": ["", "x", "=", "x=1", "gamma", "gamma=", "gamma=x", "gamma=nan", "gama=1", "guide.gamma=1"],
    "--method": [*WORDS, "DPS", "vip"],
    "--levels": [*WHOLE, "3"],
    "--T_e": [*NUMBERS, "1e9", "0.5"],
    "--T_s": [*NUMBERS, "1e9", "100"],
    "--dtype": [*WORDS, "float64"],
    "--device": [*WORDS, "cuda:99", "meta", "cpu:x", "Auto", "auto:0"],
    "--label": ["x", "7", "-1", "1.5", "2", "cat,dog", "\u0663", "9" * 40],
    "--prior": [*WORDS, ".", "image.png", "no/such/model", "pri or", "../..", "prior/unet"],
    "--variant": ["fp16", "x", " "],
    "--prompt": ["a cat"],
    "--negative-prompt": ["a dog"],
    "--guidance": ["", "x", "nan", "inf", "3", "[1]"],
    "--timesteps": ["", ",", "x", "1,2", "500,500", "9999,1", "-1", "5.5,4", "1e3,1", "500,,400"],
    "--out": ["", " ", "image.png", "prior", ".", "..", "image.png/x", "a\u0000b", "a" * 300, "/proc/none", "/"],
    "--set": [
        "",
        "x",
        "x=",
        "=",
        "zeta",
        "zeta=x",
        "zetta=1",
        "fit-steps=2",
        "limit=maybe",
        "num-chains=1.5",
        "zeta=nan",
        "guide.gamma=1",
        "guide-settings=1",
    ],
    "--num-levels": ["3"],
    "--nonsense": ["1"],
    "--fit-step": ["x"],
}
INPAINT = {
    "--region": [
        *WORDS, "Auto", "tile", "1,2,3", "0,0,8,9", "0,0,0,0", "-1,0,4,4", "1.5,0,4,4",
        "5,5,8,8", "0,0,2,2", "0,0,4,4,4",
    ],
    "--resize": [*WORDS, "Fit", "stretch", "8"],
    "--expand": [*WORDS, "0,0,0,0", "1,1,1", "-1,0,0,0", "1,0,0,x", "9999,9999,9999,9999", "auto"],
}
TASK = {
    "--scale": [*[v for v in WHOLE if v != "2"], "3", "1"],
    "--reduction": WORDS,
    "--task": [*WORDS, "inpainting", "deblur"],
    "--kernel-size": ["3"],
    "--std": ["1"],
    "--length": ["3"],
    "--angle": ["3"],
    "--sigma": NUMBERS,
    "--method": ["bicubic", "average"],
}
EXACT = {
    "--problems": [*WHOLE, "1"],
    "--samples": [*WHOLE, "99"],
    "--fit-steps": WHOLE,
    "--steps": WHOLE,
    "--beta": NUMBERS,
    "--cell": ["", "8", "8,1,1", "7,1", "8,9", "x,1", "-8,1", "8,0", "1e9,1", "nan,1", "99999999,1"],
    "--likelihood": WORDS,
    "--kernel": WORDS,
    "--out": ["", " ", "image.png", "image.png/x", "/proc/none"],
}
ABLATE = {
    "--on": ["", "8", "7,1", "8,9", "no/such/model", "prior"],
    "--guide": [*WORDS, "red-diff", "dps", "hierarchical,hierarchical", "gaussian,"],
    "--beta": [*[v for v in NUMBERS if v != "1,5"], "1,1", "1,,2"],
    "--levels": [*WHOLE, "2,2"],
    "--T_e": [*[v for v in NUMBERS if v != "1,5"], "1e9", "1"],
    "--T_s": [*[v for v in NUMBERS if v != "1,5"], "1e9", "100"],
    "--noise-scale": [v for v in NUMBERS if v != "1,5"],
    "--set": ["", "x", "x=", "=", "zeta=1", "fit-steps=x", "fit-steps=0", "beta=2", "kernel=", "ratios=1", "steps=999"],
    "--problems": [*WHOLE, "1"],
    "--samples": [*WHOLE, "99"],
    "--masks": ["rotated"],
    "--images": ["2"],
    "--device": ["cpu"],
    "--workers": [*WHOLE, "2"],
    "--x": [*WORDS, "levels"],
    "--color": WORDS,
    "--panels": WORDS,
    "--measure": [*WORDS, "psnr"],
    "--out": ["", " ", "image.png", "prior", ".", "image.png/x", "/proc/none"],
}
FIT = {
    "--checkpoint-every": WHOLE,
    "--fit-steps": WHOLE,
    "--seed": ["", "x", "-1", "1.5", str(2**63)],
    "--samples": ["2"],
    "--method": ["vipaint", "dps"],
    "--guide": [*WORDS, "red-diff"],
    "--label": ["x", "7", "cat,dog"],
    "--guidance": ["", "x", "nan", "3"],
    "--timesteps": ["", ",", "x", "1,2", "9999,1"],
    "--out": ["", " ", "image.png", "prior", ".", "image.png/x", "a" * 300, "/proc/none"],
    "--prior": [*WORDS, ".", "image.png", "../..", "prior/unet"],
    "--nonsense": ["1"],
}
DRAW = {
    "--refinement-steps": WHOLE,
    "--refine": WORDS,
    "--beta": ["1"],
    "--samples": WHOLE,
    "--seed": ["", "x", "-1", "1.5", str(2**63)],
    "--out": ["", " ", "image.png"],
    "--prior": [*WORDS],
    "--variant": ["fp16"],
    "--revision": ["x"],
    "--device": [*WORDS, "cuda:99", "meta"],
    "--fit-steps": ["2"],
}
OTHERS = [
    [*GOOD["inpaint"], "--region", "auto", "--resize", "fit"],
    [*GOOD["inpaint"], "--region", "0,0,8,8", "--resize", "crop"],
    ["inpaint", "image.png", "--prior", "prior", "--region", "auto"],
    ["inpaint", "image.png", "--prior", "prior", "--resize", "fit"],
    ["inpaint", "image.png", "mask.png", "--prior", "prior", "--mask-from-alpha", "--expand", "1,1,1,1"],
    ["nonsense"],
    ["inpaint"],
    ["inpaint", "image.png"],
    ["inpaint", "image.png", "mask.png", "--region", "0,0,8,9"],
    ["inpaint", "image.png", "mask.png", "--region", "tiles", "--resize", "fit"],
    ["inpaint", "image.png", "mask.png", "third.png", "--prior", "prior"],
    ["inpaint", "image.png", "mask.png", "--prior", "prior", "--mask-from-alpha"],
    ["inpaint", "image.png", "--prior", "prior", "--mask-from-alpha"],
    ["inpaint", "", "mask.png", "--prior", "prior"],
    ["inpaint", "image.png", "", "--prior", "prior"],
    [*GOOD["inpaint"], "--timesteps", "500,400", "--levels", "2"],
    [*GOOD["inpaint"], "--zeta", "1", "--set", "zeta=2"],
    [*GOOD["inpaint"], "--set", "zeta=1", "--set", "zeta=2"],
    [*GOOD["inpaint"], "--method", "dps"],
    ["inpaint", "image.png", "mask.png", "--prior", "prior", "--method", "dps", "--effort", "draft"],
    [*GOOD["inpaint"], "--set", "effort=draft"],
    [*GOOD["inpaint"], "--effort", "best"],
    [*GOOD["inpaint"], "--method", "dps", "--levels", "2"],
    [*GOOD["inpaint"], "--correct", "smc", "--num-particles", "1"],
    [*GOOD["inpaint"], "--refine", "tds", "--num-particles", "3"],
    [*GOOD["inpaint"], "--refine", "tds", "--correct", "smc"],
    [*GOOD["inpaint"], "--refine", "tds", "--zeta", "1"],
    [*GOOD["inpaint"], "--refine", "tds", "--sweeps", "1"],
    [*GOOD["inpaint"], "--refine", "mmps", "--no-limit"],
    [*GOOD["inpaint"], "--refine", "--seed", "2"],
    [*GOOD["inpaint"], "--own-cloud"],
    [*GOOD["inpaint"], "--guidance", "3"],
    ["fit"],
    ["fit", "image.png"],
    ["fit", "image.png", "mask.png", "--prior", "prior"],
    ["fit", "image.png", "mask.png", "--out", "new"],
    [*GOOD["fit"], "--resume"],
    [*GOOD["fit"], "--resume", "--overwrite"],
    [*GOOD["fit"], "--mask-from-alpha"],
    [*GOOD["fit"], "--levels", "2", "--timesteps", "500,400"],
    [*GOOD["fit"], "--set", "zeta=1", "--zeta", "2"],
    *(["draw", folder] for folder in ("", " ", ".", "none", "prior", "image.png", "image.png/x", "a" * 300, "/proc")),
    ["draw"],
    ["draw", "none", "other"],
    ["restore", "small.png", "--prior", "prior"],
    [*GOOD["restore"], "--task", "colorization"],
    ["exact", "nonsense"],
    ["exact", "hierarchical+x"],
    ["exact", ""],
    ["exact", "dps+psis"],
    ["exact", "dps+tds"],
    ["exact", "Exact"],
    ["methods", "nonsense"],
    ["methods", ""],
    ["methods", "dps", "DPS"],
    ["methods", "--json", "nonsense"],
    ["methods", "--json", "dps", ""],
    ["methods", "--jsn"],
    ["completion"],
    ["completion", "tcsh"],
    ["completion", ""],
    ["completion", "bash", "zsh"],
    ["app", "--share"],
    ["app", "--share", "--password", ""],
    ["app", "--password", " "],
    ["app", "--port", "0"],
    ["app", "--port", "x"],
    ["app", "--prior", "no-such-prior"],
    ["app", "--device", "no-such-device"],
    ["app", "picture.png"],
    ["priors", "x"],
    ["priors", "--json", "x"],
    *(["priors", "--for", file] for file in ("", "none.png", "text.png", "empty.png", "cut.png", "moving.png")),
    ["priors", "--for", "image.png", "--mask", "none.png"],
    ["priors", "--for", "image.png", "--mask", "wide.png"],
    ["priors", "--for", "image.png", "--prior", "no/such/model"],
    ["priors", "--mask", "mask.png"],
    ["priors", "--prior", "prior"],
    [*GOOD["restore"], "--no-check-kind"],
    ["guides", "x"],
    ["guides", "--json", "x"],
    ["guides", "no.such:Guide"],
    ["guides", "mixture", ""],
    ["exact", "mixture:rank=4"],
    ["exact", "mixture:spread=x+smc"],
    ["exact", "no.such:Guide+smc"],
    ["exact", "dps:zetta=1"],
    ["guides", "--x"],
    ["convert"],
    ["convert", "a"],
    ["convert", "missing.ckpt", "out"],
    ["convert", "missing.ckpt", "new", "--kind", "x"],
    *(
        ["convert", file, "new", "--kind", kind]
        for kind in ("churches-kl-f8", "imagenet-vq-f4", "edm-imagenet64")
        for file in ("missing.ckpt", "", "image.png", "empty.png", "prior", "text.png")
    ),
]
BROKEN = [
    "missing.png",
    "prior",
    "empty.png",
    "text.png",
    "cut.png",
    "cut.jpg",
    "one.png",
    "wide.png",
    "moving.gif",
    "moving.png",
    "colour.png",
    "cmyk.jpg",
    "bomb.png",
    "zero.png",
    "clear.png",
    "bad.npy",
    "\u00e9 .png",
    "nul.png",
]


def command_lines() -> list[tuple[str, list[str]]]:
    """Names and arguments."""
    lines = []
    inpaint = OPTIONS | INPAINT
    every = {"inpaint": inpaint, "restore": TASK, "fit": FIT, "draw": DRAW, "exact": EXACT, "ablate": ABLATE}
    for command, options in every.items():
        for option, values in options.items():
            lines += [(f"{command} {option} {v[:20]!r}", [*GOOD[command], option, v]) for v in values]
    lines += [(f"image {name}", ["inpaint", name, "mask.png", *GOOD["inpaint"][3:]]) for name in BROKEN]
    masks = [*BROKEN[:10], "bomb.png", "white.png", "black.png", "zero.png"]
    lines += [(f"mask {name}", ["inpaint", "image.png", name, *GOOD["inpaint"][3:]]) for name in masks]
    lines += [(f"fit {name}", ["fit", name, "mask.png", *GOOD["fit"][3:]]) for name in BROKEN]
    lines += [(f"restore {name}", ["restore", name, *GOOD["restore"][2:]]) for name in [*BROKEN, "image.png"]]
    return lines + [(f"other {i} {' '.join(a)[:40]}", a) for i, a in enumerate(OTHERS)]


def pictures(folder: Path) -> None:
    """Good and broken pictures."""
    rng = np.random.default_rng(0)
    grey = rng.integers(0, 256, (8, 8), dtype=np.uint8)
    PIL.Image.fromarray(grey).save(folder / "image.png")
    PIL.Image.fromarray(grey[:4, :4]).save(folder / "small.png")
    mask = np.zeros((8, 8), np.uint8)
    for name, rows in (("black.png", 0), ("mask.png", 4), ("white.png", 8)):
        mask[:rows] = 255
        PIL.Image.fromarray(mask).save(folder / name)
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.png").write_text("no picture")
    (folder / "nul.png").write_bytes(bytes(100))
    (folder / "bad.npy").write_bytes(b"\x93NUMPY")
    big = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    colour = PIL.Image.fromarray(big)
    colour.save(folder / "colour.png")
    colour.convert("CMYK").save(folder / "cmyk.jpg")
    for name, picture in (("cut.png", PIL.Image.fromarray(grey)), ("cut.jpg", colour.resize((64, 64)))):
        picture.save(folder / name)
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[: len(whole) - len(whole) // 3])
    PIL.Image.new("L", (1, 1)).save(folder / "one.png")
    PIL.Image.new("L", (9, 8)).save(folder / "wide.png")
    frames = [PIL.Image.new("L", (8, 8), k * 90) for k in range(3)]
    for name in ("moving.gif", "moving.png"):
        frames[0].save(folder / name, save_all=True, append_images=frames[1:])
    PIL.Image.new("RGBA", (8, 8), (200, 0, 0, 90)).save(folder / "clear.png")
    for name, size in (("bomb.png", 200_000), ("zero.png", 0)):
        head = struct.pack(">IIBBBBB", size, size, 8, 0, 0, 0, 0)
        parts = [(b"IHDR", head), (b"IDAT", zlib.compress(b"\0" * 9)), (b"IEND", b"")]
        chunks = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts]
        (folder / name).write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
