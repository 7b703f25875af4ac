"""The steps of `tune`, `check` and `predict`, in the order of time."""
