"""The library: plan, deeds, checks, journal and report of a core's move. It knows nothing of rehearsals."""
