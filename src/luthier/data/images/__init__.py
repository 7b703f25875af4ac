"""Images: where they lie, what they are called, and how they are opened."""
