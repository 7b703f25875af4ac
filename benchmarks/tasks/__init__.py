"""How good the tuned models are beside what else a user could take, by task."""
