"""What a core must do: one suite for the stand-in (`pytest tests/contract`) and for the real one (see conftest.py)."""
