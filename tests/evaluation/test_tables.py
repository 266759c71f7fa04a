"""Tables and sheets by hand."""

import pytest
import torch

from vipaint_pyro.evaluation.quality import Quality
from vipaint_pyro.evaluation.sheets import sheet
from vipaint_pyro.evaluation.tables import table


def test_a_table_by_hand():
    def made(*values):
        return Quality(*([list(values)] * 5), calls=12.0, seconds=1.25)

    text = table({"one": made(1.0, 3.0), "two": made(1.0, 1.0)}, ["lpips_raw", "psnr"], deviation=True).splitlines()
    assert text == [
        "| method | LPIPS raw | PSNR (dB) | calls | s per image |",
        "|--|--|--|--|--|",
        "| one | 2.0000 ± 1.0000 (1.4142) | 2.0 ± 1.0 (1.4) | 12 | 1.2 |",
        "| two | 1.0000 ± 0.0000 (0.0000) | 1.0 ± 0.0 (0.0) | 12 | 1.2 |",
        "",
        "one - two, lpips_raw: +1.0000 ± 1.0000 (paired)",
    ]


def test_a_sheet_shows_what_it_says():
    truth, drawn = torch.full((3, 1, 8, 8), -1.0), torch.ones(2, 3, 1, 8, 8)
    from vipaint_pyro.images import to_output

    grey = {"given": lambda i: to_output(torch.full((1, 1, 4, 4), 0.5), "pil")[0]}
    picture = sheet(truth, grey, drawn, rows=2)
    at = [picture.getpixel((6 + 90 * k + 42, 22 + 90 * r + 42)) for r in range(2) for k in range(4)]
    assert [p[0] for p in at] == pytest.approx([0, 128, 255, 255] * 2, abs=1)
    assert picture.size == (4 * 90 + 6, 22 + 2 * 90 + 6)
