"""The names of the sample sites, which are public: users' scripts condition on them."""

__all__ = ["site"]


def site(t: int) -> str:
    """The name of the sample site of z_t."""
    return f"z_{t}"
