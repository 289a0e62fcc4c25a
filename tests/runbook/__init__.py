"""End-to-end tests: the runbook itself moves a core on hosts made for the test."""
