create schema if not exists `{project}.{raw}` options (location = '{location}');
create schema if not exists `{project}.{staging}` options (location = '{location}');
create schema if not exists `{project}.{intermediate}` options (location = '{location}');
create schema if not exists `{project}.{marts}` options (location = '{location}');
create schema if not exists `{project}.{ops}` options (location = '{location}');
