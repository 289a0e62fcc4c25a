"""pytest and pytest-bdd on one side, the run and its journal on the other."""
