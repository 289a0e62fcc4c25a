"""Unit tests: values are compared."""
