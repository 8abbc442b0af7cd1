"""A large CRM that is edited while it is read, and an oracle that says what the mirror lacks."""
