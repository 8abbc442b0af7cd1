"""The nouns: DTOs, field dictionary, mapping, adapter protocol, journal, errors. Pure."""
