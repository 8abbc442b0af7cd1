"""The hands of local commands. They never wait for a CRM."""
