"""Classification: labels of texts, pairs of texts, and images."""
