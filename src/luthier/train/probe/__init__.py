"""The linear probe, and what else lives on frozen features."""
