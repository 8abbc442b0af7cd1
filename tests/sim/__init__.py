"""The deterministic simulation: one seed decides everything (reliability, section 3)."""
