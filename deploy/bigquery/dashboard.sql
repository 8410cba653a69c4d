-- Looker Studio: reads the marts, and how builds went. They are tables, so nothing behind them has to be readable.
grant `roles/bigquery.jobUser` on project `{project}` to 'serviceAccount:{dashboard}';
grant `roles/bigquery.dataViewer` on schema `{project}.{marts}` to 'serviceAccount:{dashboard}';
grant `roles/bigquery.dataViewer` on schema `{project}.{ops}` to 'serviceAccount:{dashboard}';
