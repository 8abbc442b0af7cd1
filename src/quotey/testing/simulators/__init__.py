"""Vendors' wires, simulated: stateful, deterministic by seed, on a clock that the caller owns.

They know what the vendors' pages say and nothing of our adapters, so that the two can disagree.
"""
