"""Quotey keeps quotes locally and authoritatively, and writes summaries back to a CRM."""

__version__ = "0.1.0"
