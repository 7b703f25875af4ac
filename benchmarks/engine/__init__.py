"""What training costs and keeps: steps a second, forecasts, kills, and the same bytes from version to version."""
