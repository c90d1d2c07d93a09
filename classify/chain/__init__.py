"""From raw frames to a logit: estimators, features, and the logit taken apart down to the frames."""
