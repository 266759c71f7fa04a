"""Studies: methods compared on images under conditions."""
