-- `buddy ingest` and `buddy load-from-bucket`: write raw, see nothing else.
grant `roles/bigquery.jobUser` on project `{project}` to 'serviceAccount:{loader}';
grant `roles/bigquery.dataEditor` on schema `{project}.{raw}` to 'serviceAccount:{loader}';
