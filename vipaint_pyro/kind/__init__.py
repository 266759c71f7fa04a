"""Whether a picture is of a prior's kind: what a prior makes of what is seen of it, against its own kind's range."""
