"""Source factors → prior → target user."""
