"""Readers: a model's tokenizer or image processor, which brings rows into the form that the model reads."""
