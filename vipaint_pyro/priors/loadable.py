"""The ways in which a prior is made of a pre-trained diffusers model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

__all__ = ["Loadable"]


class Loadable:
    """The part of a :class:`~vipaint_pyro.DiffusionPrior` that makes one of what diffusers has."""

    @classmethod
    def from_pretrained(cls, name_or_path: str, **options: Any) -> Self:
        """A built-in prior by name, a diffusers folder, or a hub id.

        Takes the options of :meth:`vipaint_pyro.VIPaintPipeline.from_pretrained` (``dtype``,
        ``revision``, ``cache_dir``, ``local_files_only``, ``null_class`` ...) and ``device``, and raises its
        errors. The encoders of a text-conditional prior are left out: it is conditioned on
        embeddings (:meth:`prompted`), or made by the pipeline from a prompt.
        """
        from vipaint_pyro.priors.pretrained.loading import load_components

        return cls.from_components(**load_components(name_or_path, **options))

    @classmethod
    def from_pipe(cls, pipe: DiffusionPipeline, **options: Any) -> Self:
        """The prior of a pipeline that is loaded already, of diffusers or of ours: its own networks, where they are.

        Of a text-conditional one it is conditioned on embeddings (:meth:`prompted`), which a pipeline of ours makes.

        Args:
            pipe: of a family that is known here, like ``DDPMPipeline``, ``LDMPipeline``, ``DiTPipeline``,
                ``StableDiffusionPipeline`` or :class:`~vipaint_pyro.VIPaintPipeline`.
            options: ``null_class``, ``class_names`` and ``image_size``, where the pipeline does not say them.

        Raises:
            TypeError, ValueError: where it is none, or of another family.
        """
        from vipaint_pyro.priors.pretrained.piped import components_of

        return cls.from_components(**components_of(pipe, options))

    @classmethod
    def from_components(cls, *components: Any, **options: Any) -> Self:
        """A prior from a diffusers network, its scheduler, and what else there is.

        The arguments of :class:`vipaint_pyro.priors.pretrained.assembly.Components`; the errors of that and of
        :func:`~vipaint_pyro.priors.pretrained.assembly.assemble`.
        """
        from vipaint_pyro.priors.pretrained.assembly import Components, assemble

        return cls(**assemble(Components(*components, **options)))
