"""Short names of weights: results of other weights are other results."""

from vipaint_pyro.priors.fingerprints import fingerprint, fingerprint_of

__all__ = ["fingerprint", "fingerprint_of"]
