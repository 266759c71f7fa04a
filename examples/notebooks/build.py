"""Make the notebooks from the scripts beside them, and run them.

A notebook is its script cut into pieces, with words between: each code cell is a stretch of the script as it stands.

    pip install 'vipaint-pyro[notebooks]'
    python examples/notebooks/build.py            # all
    python examples/notebooks/build.py 04
"""

from __future__ import annotations

import ast
from pathlib import Path

import click

FOLDER = Path(__file__).parent

#: Notebook -> its cells: words, or the names of the script's top-level definitions, or code to run after them
#: (marked by a leading ">").
NOTEBOOKS: dict[str, list] = {
    "04_one_dimensional_mixture": [
        r"""# One dimension, every curve exact

The prior is a mixture of two Gaussians, $p(x) = \sum_k w_k N(x; \mu_k, \sigma_k^2)$. Noised to
$z_t = \alpha_t x + \sigma_t \epsilon$ it stays a mixture, its reverse kernel $p(z_s \mid z_t)$ is one, and so is the
posterior given $y = x + \text{noise}$. So $\log p(y)$ is known, and with it what a guide's bound lacks:
$\log p(y) - \mathrm{ELBO} = KL(q \,\|\, p(\cdot \mid y))$.""",
        ("imports",),
        """## The prior, the problem, and three guides by name

Every guide ends at a level where z still shows in which mode x is; the likelihood is the exact $p(y \\mid z_t)$, so
that the bound is one on the true $\\log p(y)$.""",
        ("SCHEDULE", "WEIGHTS", "MEANS", "VARIANCES", "Y", "GUIDES", "GREY", "make_prior", "problem"),
        """## Fitting a guide, and its bound

`fit` is Pyro's `SVI` in a loop. The bound is the mean of $\\log p(y, z) - \\log q(z)$ over draws of the guide: the same
numbers whose exponentials are importance weights.""",
        ("fit_guide", "bound"),
        """## What the panels show

A large jump's exact reverse kernel has two modes; the Gaussian step that a network's sampler takes has one, between
them. For a small jump the two nearly agree: that is why samplers take many steps, and guides several levels.""",
        ("density", "guide_posterior", "draw_marginals", "draw_kernel", "draw_posterior", "picture"),
        """## Three guides and their gaps

No bound may exceed $\\log p(y)$, and a guide that can bend more comes closer.""",
        ("compare",),
        ("> fits = compare()",),
        ("> %matplotlib inline\n> picture(fits)",),
    ],
    "05_dataset_prior": [
        """# Real pictures, and the truth beside them

The prior is a data set: a narrow Gaussian around each of 300 pictures, \
$p(x) = \\frac1K\\sum_k N(x; x_k, s^2 I)$. It is a
diffusion prior like any other, but its posterior is known: which pictures may it have been, and with which \
probability?""",
        ("imports",),
        """## The problem

The lower half of a T-shirt, seen through noise. The neighbours of the chosen picture agree with it there, and differ
above.""",
        ("CHOSEN", "STD", "RATIOS", "SEED", "SEEN", "GREY", "Problem", "look_alikes", "make_problem"),
        """## VIPaint's guide, and its draws with and without weights

The guide is fitted as on any prior. Its draws go down to the image by the prior's steps, twisted towards the
measurement. Weighed and resampled on the way (sequential Monte Carlo), they are draws of the posterior up to the number
of particles.""",
        ("fit_guide", "samples"),
        """## Counting

Each draw belongs to one picture of the data set: the responsibilities say to which.""",
        ("frequencies", "total_variation", "compare"),
        ("to_grey", "show", "draw_samples", "draw_frequencies", "picture"),
        (
            "> problem = make_problem(look_alikes(Path(FASHION_MNIST_FOLDER), CHOSEN, SIZE))\n"
            "> plain, weighted, distance, losses = compare(problem)",
        ),
        ("> %matplotlib inline\n> picture(problem, plain, weighted)",),
    ],
    "06_mini_vipaint": [
        r"""# VIPaint in one file

The whole method on one page, with the library's names and, to $10^{-6}$, its numbers.

$$z_t = \alpha_t z_0 + \sigma_t\epsilon, \qquad
  -\mathrm{ELBO} = E_q[-\log p(y \mid \hat x(z_{T_s}))] + \sum_s KL\big(q(z_s \mid z_t) \,\|\, p(z_s \mid z_t)\big)
  + KL\big(q(z_{T_e}) \,\|\, p(z_{T_e})\big)$$""",
        ("imports",),
        """## Noise levels

Forward: $q(z_t \\mid z_s) = N(a z_s, v)$. Reverse: the mean of $q(z_s \\mid z_t, z_0)$ with the prediction
$E[z_0 \\mid z_t]$ in the place of $z_0$.""",
        ("NoiseSchedule", "normal"),
        """## The model

The diffusion model from T down to T_s, then the observed part of its one-step prediction. $\\log p(z_{T_e})$ is not
known; noised copies of $z_{T_e}$ carry the bound through a few random transitions above it.""",
        ("DiffusionModel",),
        """## The guide

A Gaussian at T_e. Below, the prior's own step, drawn by $\\gamma$ towards a free mean:
$q(z_s \\mid z_t) = N(\\gamma m_p(z_t) + (1 - \\gamma)\\alpha_s\\mu_s, \\tau_s^2)$.""",
        ("HierarchicalGuide",),
        """## The refinement

From $z_{T_s}$ to the image by the prior's steps, each pulled towards the measurement (DPS).""",
        ("refine",),
        """## Half a boot""",
        ("main",),
        ('> main(out="vipaint-mini.png")\n> PIL.Image.open("vipaint-mini.png")',),
    ],
}


def pieces(source: str) -> dict[str, str]:
    """The script's top-level stretches by name; all imports under "imports"."""
    lines, found = source.splitlines(), {"imports": []}
    body = ast.parse(source).body
    for before, node in zip([None, *body], body):
        if isinstance(node, ast.Expr) or getattr(node, "module", "") == "__future__":
            continue
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))]) - 1
        end = before.end_lineno if before is not None else 0
        while first > end and lines[first - 1].startswith("#"):
            first -= 1
        text = "\n".join(lines[first : node.end_lineno])
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found["imports"].append(text)
        elif isinstance(node, ast.Assign):
            target = node.targets[0]
            found[target.id if isinstance(target, ast.Name) else target.elts[0].id] = text
        elif hasattr(node, "name"):
            found[node.name] = text
    return {**found, "imports": "\n".join(found["imports"])}


def cells(name: str) -> list[tuple[str, str]]:
    """("markdown" | "code", text) of a notebook."""
    known = pieces((FOLDER.parent / f"{name}.py").read_text())
    result = []
    for entry in NOTEBOOKS[name]:
        if isinstance(entry, str):
            result.append(("markdown", entry))
        elif entry[0].startswith(">"):
            result.append(("code", "\n".join(line.removeprefix("> ") for line in entry[0].splitlines())))
        else:
            gap = "\n" if all(known[n].count("\n") == 0 for n in entry) else "\n\n\n"
            result.append(("code", gap.join(known[n] for n in entry)))
    return result


@click.command(help=__doc__)
@click.argument("which", nargs=-1)
def main(which: tuple[str, ...]) -> None:
    import nbformat
    from nbclient import NotebookClient

    for name in NOTEBOOKS:
        if which and not any(name.startswith(w) for w in which):
            continue
        book = nbformat.v4.new_notebook(
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        )
        make = {"markdown": nbformat.v4.new_markdown_cell, "code": nbformat.v4.new_code_cell}
        book.cells = [make[kind](text, id=f"cell-{i:02d}") for i, (kind, text) in enumerate(cells(name))]
        click.echo(f"{name} ...")
        NotebookClient(book, timeout=1200, record_timing=False, resources={"metadata": {"path": str(FOLDER)}}).execute()
        for cell in book.cells:  # warnings name folders of the machine they were given on
            if cell.cell_type == "code":
                cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
        book.metadata.pop("language_info", None)
        nbformat.write(book, FOLDER / f"{name}.ipynb")
        (FOLDER / "vipaint-mini.png").unlink(missing_ok=True)


if __name__ == "__main__":
    main()
