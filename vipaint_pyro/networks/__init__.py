"""How networks of diffusers' classes are called, and those that diffusers lacks."""
