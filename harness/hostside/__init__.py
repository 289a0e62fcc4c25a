"""Programs that the harness sends to hosts: one file each, standard library only, run by `python3 -`."""
