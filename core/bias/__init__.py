"""Bias between groups of people: the metrics of SageMaker Clarify, with intervals, and whether
they have grown. Rows are NumPy columns, counted once into small tables (`tables`, `counting`);
metrics (`metrics`, `formulas`), intervals and drift are functions of these. No clock, no files,
no pandas. `report.report` answers a `Question`; `drift.compare` holds it against a baseline;
`analysis` writes Clarify's files."""
