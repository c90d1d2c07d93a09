"""How a classifier is trained: every key with its default, unit and range."""

from typing import Annotated, Literal

from msgspec import Meta

from classify.learning.augmentation import Augmentation
from simulate.base.typed import Config, Seed


class LearningConfig(Config, frozen=True):
    """How a classifier is trained.

    Attributes
    ----------
    seed : int
        Of order, augmentation and dropout; a network's own weights are drawn where it is built.
    epochs : int
        Times that every example is seen, at the most.
    batch : int
        Examples in a step.
    sampling : str
        "shuffled", each once an epoch; or "balanced", with replacement and all classes alike.
    learning_rate : float
        At its height: it rises over the first steps and then falls as a cosine (ASLNet's 1.4e-4).
    weight_decay : float
        Of AdamW.
    average : float
        Of the averaged weights, kept per step; 0 takes the weights as they are.
    class_weights : bool
        Weigh classes by N/(K n_k).
    label_smoothing : float
        Share of the label that is spread over all classes (ASLNet's 0.003).
    patience : int
        Epochs without a lower loss in validation after which training stops; used with validation only.
    checkpoint : int
        Epochs between checkpoints.
    augmentation : Augmentation
        How examples are varied.
    """

    seed: Seed = 0
    epochs: Annotated[int, Meta(ge=1, le=1_000_000)] = 100
    batch: Annotated[int, Meta(ge=1, le=4096, description="examples")] = 4
    sampling: Literal["shuffled", "balanced"] = "shuffled"
    learning_rate: Annotated[float, Meta(ge=1e-7, le=1)] = 1.4e-4
    weight_decay: Annotated[float, Meta(ge=0, le=1)] = 0.01
    average: Annotated[float, Meta(ge=0, le=0.99999, description="kept per step")] = 0.0
    class_weights: Annotated[bool, Meta(description="weigh classes by their rarity")] = True
    label_smoothing: Annotated[float, Meta(ge=0, le=1)] = 0.003
    patience: Annotated[int, Meta(ge=1, le=1_000_000, description="epochs")] = 20
    checkpoint: Annotated[int, Meta(ge=1, le=1_000_000, description="epochs")] = 5
    augmentation: Augmentation = Augmentation()
