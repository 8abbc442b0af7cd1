"""The façade, one method per thing a user can ask, and the only wiring."""
