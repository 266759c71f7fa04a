"""The figure of samples: rows are methods, columns images, truth and what was observed first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
import torch
from torch import Tensor

from vipaint_pyro.evaluation.study.found import Found, Record
from vipaint_pyro.evaluation.study.grids import one_line
from vipaint_pyro.evaluation.study.kept import kept_tensor
from vipaint_pyro.images import from_model, to_output
from vipaint_pyro.plots import observed_picture

__all__ = ["samples_sheet"]

_PAPER, _INK, _FAINT, _FRAME = (255, 255, 255), (40, 40, 40), (236, 236, 236), (190, 190, 190)
_GAP, _LINE, _HEAD = 4, 16, 190
_CURE = ": delete it, and the figure does without it"


def samples_sheet(found: Found, condition: str, most: int = 8) -> PIL.Image.Image | None:
    """The first kept sample of each method, of the first images that any has samples of; None where none are kept.

    Observed pixels are put back where images were inpainted.

    Raises:
        ValueError: for a kept file that is damaged, by its name.
    """
    kept = {(r.method, r.image): r for r in found.records if r.condition == condition and _kept(found, r)}
    images = sorted({image for _, image in kept})[:most]
    if not images:
        return None
    truths = [_picture(_truth(found, i)) for i in images]
    side = 84 if max(truths[0].size) < 64 else 128
    rows: list[Any] = [("truth", truths), ("observed", [_observed(found, condition, i) for i in images])]
    for method in found.methods:
        if any((method, i) in kept for i in images):
            shown = [_sample(found, kept[method, i]) if (method, i) in kept else None for i in images]
            rows.append((method, shown))
    return _drawn(rows, [f"image {i}" for i in images], side)


def _kept(found: Found, record: Record) -> bool:
    return not record.failed and record.beside("samples").is_file() and _truth(found, record.image).is_file()


def _truth(found: Found, image: int) -> Path:
    return found.folder / "truth" / f"{image:05d}.png"


def _mask(found: Found, condition: str, image: int) -> Path:
    return found.folder / "masks" / condition / f"{image:05d}.png"


def _sample(found: Found, record: Record) -> PIL.Image.Image:
    path = record.beside("samples")
    x = kept_tensor(path, "samples", _CURE)
    if x.dtype != torch.uint8 or x.ndim != 4 or not len(x):
        raise ValueError(f"{path} holds no 8-bit images{_CURE}")
    first, mask = x[0], _mask(found, record.condition, record.image)
    if mask.is_file():
        truth, hole = _eight(_truth(found, record.image)), _eight(mask)[:1] > 127
        if truth.shape != first.shape or hole.shape[1:] != first.shape[1:]:
            raise ValueError(f"{path} holds images of another size than truth and mask{_CURE}")
        first = torch.where(hole, first, truth)
    return to_output(first[None] / 255, "pil")[0]


def _observed(found: Found, condition: str, image: int) -> PIL.Image.Image | None:
    """Truth with its hole, or what was measured where that can be shown."""
    mask, measured = _mask(found, condition, image), found.folder / "measured" / condition / f"{image:05d}.safetensors"
    if mask.is_file():
        return observed_picture(_eight(_truth(found, image)) / 255, _eight(mask)[:1] <= 127)
    if not measured.is_file():
        return None
    y = kept_tensor(measured, "y", _CURE)
    y = y[None] if y.ndim == 3 else y
    if y.ndim != 4 or y.shape[1] not in (1, 3) or not y.is_floating_point():
        return None
    return to_output(from_model(y[:1].float()), "pil")[0]


def _picture(path: Path) -> PIL.Image.Image:
    try:
        with PIL.Image.open(path) as picture:
            return picture.convert("L" if picture.mode in ("1", "L") else "RGB")
    except (OSError, SyntaxError) as error:
        raise ValueError(f"{path} is no picture, or damaged ({error}){_CURE}") from error


def _eight(path: Path) -> Tensor:
    """A picture's bytes (C, H, W)."""
    array = np.array(_picture(path))
    return torch.from_numpy(array.reshape(*array.shape[:2], -1)).permute(2, 0, 1)


def _drawn(
    rows: list[tuple[str, list[PIL.Image.Image | None]]], columns: list[str], side: int
) -> PIL.Image.Image:
    """Rows of pictures behind their names; what is not there is crossed out."""
    font = PIL.ImageFont.load_default(size=13)
    names = [_wrapped(name, font) for name, _ in rows]
    left = max(int(font.getlength(line)) for lines in names for line in lines) + 3 * _GAP
    heights = [max(side, _LINE * len(lines)) for lines in names]
    size = left + len(columns) * (side + _GAP), _LINE + 2 * _GAP + sum(h + _GAP for h in heights)
    sheet = PIL.Image.new("RGB", size, _PAPER)
    pen = PIL.ImageDraw.Draw(sheet)
    for i, label in enumerate(columns):
        pen.text((left + i * (side + _GAP) + side / 2, _LINE / 2 + _GAP), label, _INK, font, anchor="mm")
    top = _LINE + 2 * _GAP
    for (_, pictures), lines, height in zip(rows, names, heights):
        for k, line in enumerate(lines):
            middle = top + height / 2 + (k - (len(lines) - 1) / 2) * _LINE
            pen.text((left - 2 * _GAP, middle), line, _INK, font, anchor="rm")
        for i, picture in enumerate(pictures):
            corner = left + i * (side + _GAP), top + (height - side) // 2
            if picture is None:
                end = corner[0] + side - 1, corner[1] + side - 1
                pen.rectangle((*corner, *end), fill=_FAINT)
                pen.line((*corner, *end), fill=_PAPER, width=2)
            else:
                fitted = _sized(picture, side)
                inset = [(side - length) // 2 for length in fitted.size]
                x, y = corner[0] + inset[0], corner[1] + inset[1]
                # A frame, or white edges could not be told from the paper.
                pen.rectangle((x - 1, y - 1, x + fitted.width, y + fitted.height), outline=_FRAME)
                sheet.paste(fitted, (x, y))
        top += height + _GAP
    return sheet


def _sized(picture: PIL.Image.Image, side: int) -> PIL.Image.Image:
    """With this longer side: pixels stay squares where it is enlarged, and are averaged where it is not."""
    longer = max(picture.size)
    kind = PIL.Image.Resampling.LANCZOS if longer > side else PIL.Image.Resampling.NEAREST
    return picture.convert("RGB").resize([max(1, round(n * side / longer)) for n in picture.size], kind)


def _wrapped(name: str, font: Any) -> list[str]:
    """A name in lines that are not wider than the head of a row, broken behind ``:`` and ``;`` where that does."""
    lines, line = [], ""
    for letter in one_line(name):
        if line and font.getlength(line + letter) > _HEAD:
            cut = max(line.rfind(";"), line.rfind(":")) + 1 or len(line)
            lines.append(line[:cut])
            line = line[cut:]
        line += letter
    return [*lines, line]
