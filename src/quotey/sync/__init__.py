"""The hands that reach the CRM."""
