-- `buddy build`: reads raw and cannot change it, writes what it builds and how that went.
grant `roles/bigquery.jobUser` on project `{project}` to 'serviceAccount:{dbt}';
grant `roles/bigquery.dataViewer` on schema `{project}.{raw}` to 'serviceAccount:{dbt}';
grant `roles/bigquery.dataEditor` on schema `{project}.{staging}` to 'serviceAccount:{dbt}';
grant `roles/bigquery.dataEditor` on schema `{project}.{intermediate}` to 'serviceAccount:{dbt}';
grant `roles/bigquery.dataEditor` on schema `{project}.{marts}` to 'serviceAccount:{dbt}';
grant `roles/bigquery.dataEditor` on schema `{project}.{ops}` to 'serviceAccount:{dbt}';
