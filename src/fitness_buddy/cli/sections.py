"""Group the commands of ``buddy --help`` by what people want to do."""

from __future__ import annotations

import click

# A command that is in none is listed last, under "Other".
SECTIONS = {
    "Start": ("demo", "init", "settings", "doctor", "completion"),
    "Load": ("ingest", "auth", "status", "check", "heartbeat", "freshness"),
    "Build": ("build", "docs", "project"),
    "Read": ("report", "activity", "explain", "ask", "sql", "serve", "mcp", "looker-url"),
    "Talk": ("say", "remind", "meal", "events", "meditation", "persona", "bot"),
    "Server": ("flows", "setup-gcp", "load-from-bucket"),
    "Your data": ("export", "forget"),
}


class SectionedGroup(click.Group):
    """A group whose help lists commands by section."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a list of commands for each section."""
        commands = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        shown = {name: command for name, command in commands.items() if command and not command.hidden}
        listed = {name for names in SECTIONS.values() for name in names}
        width = formatter.width - 6 - max(map(len, shown), default=0)
        for title, names in {**SECTIONS, "Other": tuple(shown.keys() - listed)}.items():
            rows = [(name, shown[name].get_short_help_str(width)) for name in names if name in shown]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)
