"""The short names of the metrics, in Clarify's order; what they are stands in `metrics`."""

PRE_TRAINING = ("CI", "DPL", "KL", "JS", "LP", "TVD", "KS", "CDDL")
POST_TRAINING = (
    "DPPL", "DI", "DCAcc", "DCR", "RD", "SD", "DAR", "DRR", "AD", "CDDPL", "TE", "FT", "GE",
)  # fmt: skip
ALL = (*PRE_TRAINING, *POST_TRAINING)
