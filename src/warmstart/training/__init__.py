"""Trials, trained."""
