"""Certificates of systems outside the catalogue, compared with exact and published exponents."""
