"""Pure verbs: every rule, as a function from values to a verdict."""
