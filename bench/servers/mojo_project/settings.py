"""A project as a user has it: nothing is switched off."""

COOKIE_SECRET = "for the bench alone: 9f4b 61c0 7d2e 58a3"
