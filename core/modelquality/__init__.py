"""How good a model's answers are: plain arithmetic over predictions and labels.

Metrics under the names of SageMaker's model quality monitor, with intervals; by segment; how
far labels can be trusted; estimates where there are no labels yet; change on the stream of
errors. Knows nothing of monitors, state or files. numpy (and scikit-learn, for the one
regressor) are imported by the modules that need them, so import those where they are used.
"""
