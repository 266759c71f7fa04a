"""A study: methods compared on images under conditions."""
