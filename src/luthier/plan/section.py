"""What all parts of a plan have in common: frozen, strict, and explaining themselves."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """One part of a plan. The text under a field is its help on the command line, in the docs and in the report."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        allow_inf_nan=False,
        validate_default=True,
    )
