"""What the fields of a dataclass hold that is a PyTree: arrays of a stated shape, or what stands in their place.

JAX builds a PyTree anew with axes, shapes or bare objects where its arrays were, and a number of Python has no shape. A
field annotated `Real[Any, "*s t"] | NoArray` has its shape checked where it holds an array, and there alone.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    NoArray = Any
else:

    class _OfWhatIsNoArray(type):
        def __instancecheck__(cls, each: object) -> bool:
            return not (hasattr(each, "shape") and hasattr(each, "dtype"))

    class NoArray(metaclass=_OfWhatIsNoArray):
        """Everything that has no shape and no type of its elements."""
