"""Where the clone is: commands use the config and the schemas of the workflow, not copies of them."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
"""The clone, in which slidecaf is installed in place (`make install`)."""

SCHEMAS = ROOT / "workflow" / "schemas"
"""Schemas of config and sheets."""

CONFIG = ROOT / "config.yaml"
"""The demo's config, every key commented."""
