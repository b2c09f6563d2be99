"""Pipeline files: reading them, binding their parameters, hashing the code they name."""

from core.pipelines._files import PipelineFile, find_pipelines, load_pipeline, validate_file
from core.pipelines._fingerprint import code_fingerprint
from core.pipelines._params import bind_params
from core.pipelines._schema import json_schema
from core.pipelines._spec_json import spec_from_json, spec_to_json

__all__ = [
    "PipelineFile",
    "bind_params",
    "code_fingerprint",
    "find_pipelines",
    "json_schema",
    "load_pipeline",
    "spec_from_json",
    "spec_to_json",
    "validate_file",
]
