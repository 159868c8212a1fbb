"""Visitors and logins: the signer of their cookies, and the registry of who is here."""
