-- `buddy ingest` and `buddy load-from-bucket`: write raw, and in ops where it came from. `buddy check`: sees days of steps.
grant `roles/bigquery.jobUser` on project `{project}` to 'serviceAccount:{loader}';
grant `roles/bigquery.dataEditor` on schema `{project}.{raw}` to 'serviceAccount:{loader}';
grant `roles/bigquery.dataEditor` on schema `{project}.{ops}` to 'serviceAccount:{loader}';
grant `roles/bigquery.dataViewer` on schema `{project}.{intermediate}` to 'serviceAccount:{loader}';
