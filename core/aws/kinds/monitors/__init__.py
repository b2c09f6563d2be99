"""SageMaker Model Monitor, Clarify and Debugger, for accounts that have them."""
