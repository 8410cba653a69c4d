-- Looker Studio: reads the marts. They are tables, so nothing behind them has to be readable.
grant `roles/bigquery.jobUser` on project `{project}` to 'serviceAccount:{dashboard}';
grant `roles/bigquery.dataViewer` on schema `{project}.{marts}` to 'serviceAccount:{dashboard}';
