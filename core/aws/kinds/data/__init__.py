"""Where data are: S3, Glue's catalogue and jobs, Lake Formation's rights, streams, warehouses."""
