"""The training debugger: rules with the names and defaults of SageMaker Debugger, over what is
to be seen of a run: metric series, outputs, models, step records.

Nothing heavy is imported here: `evaluating` is plain Python over series that were read;
`artifacts` (pyarrow, the model's own library) is for a process aside or a command.
"""
