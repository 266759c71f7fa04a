"""VIPaint as probabilistic programs: diffusion models as Pyro models, posteriors as Pyro guides."""

__version__ = "0.1.0"
