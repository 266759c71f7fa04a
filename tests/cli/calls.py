"""How the tests call the command line: in this process, with few steps."""

from click.testing import CliRunner

from vipaint_pyro.cli.main import main

FEW = ["--fit-steps", "2", "--refinement-steps", "3", "--samples", "2", "--quiet"]


def vipaint(*args):
    return CliRunner().invoke(main, [str(a) for a in args])


def inpaint(*args, image="image.png", mask="mask.png", prior="prior"):
    return vipaint("inpaint", image, mask, "--prior", prior, *FEW, *args)


def plain(*args):
    """Without VIPaint's own options, into ``out``."""
    return vipaint("inpaint", "image.png", "mask.png", "--prior", "prior", "--samples", 2, "--out", "out", *args)
