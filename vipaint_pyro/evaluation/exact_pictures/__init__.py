"""Samplers on pictures whose posterior is known: ``vipaint exact --pictures``."""
