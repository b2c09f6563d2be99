"""SageMaker: jobs, pipelines, endpoints, registry, monitors, lineage on the simulated clock.

What a simulated job does is asked for by its tags, hyperparameters or environment:

* `simulate-seconds`: how long its main phase takes, in nominal seconds;
* `simulate-outcome`: `Failed` to make it fail at the end of that phase;
* `simulate-reason`: what it says then;
* `simulate-metric-NAME`: the final value of a metric;
* `simulate-file:OUTPUT/PATH`: what a processing job writes at that path of that output.
"""
