"""The names of Pyro's AutoGuides, and what is known of each. Imports nothing heavy."""

from __future__ import annotations

__all__ = ["AUTO_GUIDES", "JOINT", "NO_AUTO_GUIDES"]

#: The AutoGuides there are, and what each assumes of the posterior over all levels.
AUTO_GUIDES = {
    "AutoNormal": "independent entries, one Gaussian per level",
    "AutoDelta": "a point, the most probable latents; no bound",
    "AutoDiagonalNormal": "independent entries, as one long vector",
    "AutoMultivariateNormal": "a full covariance over all entries, levels and images",
    "AutoLowRankMultivariateNormal": "a covariance of low rank plus a diagonal",
    "AutoGaussian": "a Gaussian with the model's own conditional independences",
    "AutoStructured": "a Gaussian per level, linear in the levels it depends on",
    "AutoIAFNormal": "an inverse autoregressive flow over one long vector",
    "AutoLaplaceApproximation": "a point, and on finish() a Gaussian with the curvature there",
    "AutoNormalMessenger": "independent entries, one Gaussian per level",
    "AutoHierarchicalNormalMessenger": "the model's own mean, weighted, plus a free one",
    "AutoRegressiveMessenger": "the model's own step, scaled and shifted; for exact priors",
}

#: Those that line up all images in one vector, or draw them in one piece from the global random state.
JOINT = (
    "AutoDiagonalNormal",
    "AutoMultivariateNormal",
    "AutoLowRankMultivariateNormal",
    "AutoGaussian",
    "AutoStructured",
    "AutoIAFNormal",
    "AutoLaplaceApproximation",
    "AutoNormalMessenger",
    "AutoHierarchicalNormalMessenger",
    "AutoRegressiveMessenger",
)

#: Those that Pyro exports and that cannot serve here, and why.
NO_AUTO_GUIDES = {
    "AutoGuide": "it is the base class of the others",
    "AutoContinuous": "it is the base class of those that flatten",
    "AutoMessenger": "it is the base class of the messengers",
    "AutoGuideList": "it is a list of guides for parts of a model: build it from pyro.infer.autoguide yourself",
    "AutoCallable": "it wraps a guide you have written: write a Guide instead",
    "AutoDiscreteParallel": "it is for discrete latents, and z is continuous",
    "AutoNormalizingFlow": "it needs a transform: take 'flow' or 'AutoIAFNormal'",
}
