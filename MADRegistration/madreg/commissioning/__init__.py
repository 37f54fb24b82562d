"""Commissioning: how accurate registrations and their estimated errors are on a user's own scans."""
