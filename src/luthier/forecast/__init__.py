"""What a run would take: its steps counted, a few of them timed, and its memory."""
