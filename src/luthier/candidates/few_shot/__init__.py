"""The candidate that brings rows of a label together before its head is solved for."""
