"""SageMaker: jobs, pipelines, endpoints, registry, monitors, lineage on the simulated clock.

What a simulated job does is asked for by its tags or hyperparameters:

* `simulate-seconds`: how long its main phase takes, in nominal seconds;
* `simulate-outcome`: `Failed` to make it fail at the end of that phase (an endpoint
  configuration so tagged has instances that never become healthy);
* `simulate-reason`: what it says then;
* `simulate-attempts`: in a pipeline, only this many first attempts fail;
* `simulate-metric-NAME`: the final value of a metric;
* `simulate-issues`: the Debugger rules, by comma, that find something.

Or by its environment, whose keys take no other characters: `SIMULATE_SECONDS`,
`SIMULATE_OUTCOME`, `SIMULATE_REASON`, `SIMULATE_ATTEMPTS`, `SIMULATE_METRIC` (a JSON object),
and `SIMULATE_FILE`: a JSON object of what a processing job writes, by `OUTPUT/PATH`.
"""
