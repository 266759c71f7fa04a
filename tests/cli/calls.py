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


def noise_heard(monkeypatch):
    """A list that will hold what each sampler takes for the noise in y when it draws."""
    from vipaint_pyro.samplers.base import Sampler

    heard, sample = [], Sampler.sample

    def listening(self, prior, measurement, *args, **more):
        heard.append(self.prepared(prior, measurement)[1].likelihood.sigma)
        return sample(self, prior, measurement, *args, **more)

    monkeypatch.setattr(Sampler, "sample", listening)
    return heard
