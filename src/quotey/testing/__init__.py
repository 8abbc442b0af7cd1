"""For adapter authors: conformance suite, simulators, virtual clock."""
