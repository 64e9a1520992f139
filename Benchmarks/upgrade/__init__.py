"""`make upgrade-test`: an older version, this one over it, and the older one again, under load."""
