"""How an architecture is described: values that are kept beside the weights, and checked when they are made or read."""

from typing import Annotated

from msgspec import Meta

from simulate.base.typed import Config

Count = Annotated[int, Meta(ge=1, le=4096)]
Share = Annotated[float, Meta(ge=0, le=0.99)]


class Architecture(Config, frozen=True, tag_field="kind"):
    """What all have.

    Attributes
    ----------
    channels : int
        Of the input.
    outputs : int
        Logits.
    """

    channels: Count = 1
    outputs: Count = 2
