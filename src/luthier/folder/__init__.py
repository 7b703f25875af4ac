"""What a run leaves on disk: its artefacts, its scorecard, and the finished model."""
