"""Scores in numpy alone: metrics, intervals, calibration, each with its source."""
