"""Alerts about the equipment: watched beside a recording, shown on Today, sent where set."""
