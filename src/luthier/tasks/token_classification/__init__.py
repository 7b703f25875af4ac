"""Token classification: entities, slots and the like."""
