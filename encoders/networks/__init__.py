"""Builders of networks, one module for each library that they come from; torch lives here."""
