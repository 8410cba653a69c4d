"""Who may do what on BigQuery, as deploy/bigquery/grant_roles would grant it: read by the GoogleSQL analyzer."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from googlesql import Warehouse
from support import HANGS_AFTER_S, REPOSITORY

FOLDER = REPOSITORY / "deploy" / "bigquery"
OPTIONS = ("--project=p-1", "--bucket=archive", "--loader=load@x", "--dbt=dbt@x", "--dashboard=look@x")
WORDS = [word for option in OPTIONS for word in option.split("=")]
# (role, on what, to whom)
GRANTS = {
    ("roles/bigquery.jobUser", "project p-1", "load@x"),
    ("roles/bigquery.dataEditor", "schema p-1.raw", "load@x"),
    ("roles/bigquery.dataEditor", "schema p-1.ops", "load@x"),
    ("roles/bigquery.dataViewer", "schema p-1.intermediate", "load@x"),
    ("roles/storage.objectCreator", "gs://archive", "load@x"),
    ("roles/storage.objectViewer", "gs://archive", "load@x"),
    ("roles/storage.legacyBucketReader", "gs://archive", "load@x"),
    ("roles/bigquery.jobUser", "project p-1", "dbt@x"),
    ("roles/bigquery.dataViewer", "schema p-1.raw", "dbt@x"),
    ("roles/bigquery.dataEditor", "schema p-1.staging", "dbt@x"),
    ("roles/bigquery.dataEditor", "schema p-1.intermediate", "dbt@x"),
    ("roles/bigquery.dataEditor", "schema p-1.marts", "dbt@x"),
    ("roles/bigquery.dataEditor", "schema p-1.ops", "dbt@x"),
    ("roles/bigquery.jobUser", "project p-1", "look@x"),
    ("roles/bigquery.dataViewer", "schema p-1.marts", "look@x"),
    ("roles/bigquery.dataViewer", "schema p-1.ops", "look@x"),
}


def run_script(*words: str, folder: Path = FOLDER, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(folder / "grant_roles"), *words],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
        timeout=HANGS_AFTER_S,
    )


def granted(output: str) -> set[tuple[str, str, str]]:
    """Every grant in what a dry run says; the rest of it only makes datasets."""
    found = set()
    commands = [line for line in output.splitlines() if line.startswith("gcloud ")]
    for command in commands:
        match = re.fullmatch(
            r"gcloud storage buckets add-iam-policy-binding (\S+) --member=serviceAccount:(\S+) --role=(\S+)", command
        )
        assert match, command
        found.add((match[3], match[1], match[2]))
    sql = re.sub(r"--[^\n]*|^gcloud .*$", "", output, flags=re.MULTILINE)
    warehouse = Warehouse()
    for text in filter(None, (part.strip() for part in sql.split(";"))):
        statement, _ = warehouse.analyse(text)
        if type(statement).__name__ == "ResolvedCreateSchemaStmt":
            assert "if not exists" in text
            continue
        assert type(statement).__name__ == "ResolvedGrantStmt", text
        for privilege in statement.privilege_list:
            for grantee in statement.grantee_expr_list:
                kind, _, account = grantee.value.value.string_value.partition(":")
                assert kind == "serviceAccount"
                place = f"{statement.object_type_list[0]} {'.'.join(statement.name_path)}"
                found.add((privilege.action_type, place, account))
    return found


def test_each_account_gets_what_it_needs_and_nothing_else() -> None:
    dry = run_script(*WORDS, "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert granted(dry.stdout) == GRANTS


def test_the_dashboard_reads_marts_and_how_runs_went_and_can_do_nothing_else() -> None:
    dashboard = {
        (role, place) for role, place, account in granted(run_script(*WORDS, "--dry-run").stdout) if account == "look@x"
    }
    assert dashboard == {
        ("roles/bigquery.jobUser", "project p-1"),
        ("roles/bigquery.dataViewer", "schema p-1.marts"),
        ("roles/bigquery.dataViewer", "schema p-1.ops"),
    }


@pytest.mark.parametrize(
    ("file", "more"),
    [
        (
            "dashboard.sql",
            "grant `roles/bigquery.dataViewer` on schema `{project}.{raw}` to 'serviceAccount:{dashboard}';",
        ),
        ("dbt.sql", "grant `roles/bigquery.admin` on project `{project}` to 'serviceAccount:{dbt}';"),
    ],
)
def test_a_grant_too_many_is_found(tmp_path: Path, file: str, more: str) -> None:
    folder = tmp_path / "bigquery"
    shutil.copytree(FOLDER, folder)
    (folder / file).write_text((folder / file).read_text() + more + "\n")
    assert len(granted(run_script(*WORDS, "--dry-run", folder=folder).stdout) - GRANTS) == 1


def test_what_is_run_is_what_a_dry_run_shows(tmp_path: Path) -> None:
    log = tmp_path / "log"
    for name, said in (("bq", "cat"), ("gcloud", 'echo "gcloud $*"')):
        tool = tmp_path / name
        tool.write_text(f"#!/bin/sh\n{said} >> {log}\n")
        tool.chmod(0o755)
    ran = run_script(*WORDS, PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert ran.returncode == 0, ran.stderr
    assert log.read_text() == run_script(*WORDS, "--dry-run").stdout


def test_datasets_are_called_as_for_buddy_and_dbt() -> None:
    dry = run_script(*WORDS, "--dry-run", BUDDY_SCHEMA_PREFIX="ada_", BUDDY_RAW_SCHEMA="raw_eu")
    places = {place for _, place, _ in granted(dry.stdout) if place.startswith("schema")}
    names = ("raw_eu", "ada_staging", "ada_intermediate", "ada_marts", "ada_ops")
    assert places == {f"schema p-1.{name}" for name in names}


@pytest.mark.parametrize(
    "words",
    [
        WORDS[2:],
        [*WORDS, "--dashboard", "dbt@x"],
        [*WORDS, "--bucket"],
        [*WORDS, "--project", "p`; drop schema x"],
        [*WORDS, "--everything"],
    ],
    ids=["no project", "one account for two", "no value", "SQL in a name", "an option that is none"],
)
def test_wrong_use_grants_nothing(words: list[str]) -> None:
    wrong = run_script(*words, "--dry-run")
    assert wrong.returncode == 2
    assert "usage: grant_roles" in wrong.stderr
    assert wrong.stdout == ""
