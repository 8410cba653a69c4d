drop external table if exists `{external_table}`;
drop table if exists `{staging_table}`;
