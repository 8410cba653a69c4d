"""The demo athlete: the files of an invented person, with the same bytes on every machine."""

from fitness_buddy.demo.athlete import DEMO_AS_OF, DEMO_DAYS, DEMO_SEED, DemoFiles, write_demo_files

__all__ = ["DEMO_AS_OF", "DEMO_DAYS", "DEMO_SEED", "DemoFiles", "write_demo_files"]
