"""Handlers of operations that moto lacks or answers at once; one module a service."""
