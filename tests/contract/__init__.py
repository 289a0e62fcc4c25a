"""What any core must answer: run against CONTRACT_CORE_URL when it is set, else against the stand-in started here."""
