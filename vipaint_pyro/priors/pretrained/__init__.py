"""Pre-trained priors: found, checked, loaded and put together."""
