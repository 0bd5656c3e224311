"""What the documentation refers to is there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import bear_otel

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Those to files of ours."""
    links = [link for link in LINK.findall(page.read_text()) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_public_name_is_documented() -> None:
    """What `bear_otel` offers stands on a page."""
    words = set(re.findall(r"\w+", "\n".join(page.read_text() for page in PAGES)))
    assert set(bear_otel.__all__) - words == {"__version__"}


def test_every_page_is_reached_from_the_readme() -> None:
    """Directly, or from a page that is."""
    reached, ahead = set(), [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        reached.add(page)
        links = {(page.parent / link).resolve() for link in LINK.findall(page.read_text())}
        ahead += [link for link in links if link.suffix == ".md" and link not in reached]
        ahead += [each for link in links if link.is_dir() for each in link.glob("*.md")]
        ahead = [each for each in ahead if each not in reached and each.exists()]
    assert set(PAGES) - reached == set()


def test_generated_pages_are_current() -> None:
    """They are written from the settings and the catalogue."""
    command = [sys.executable, str(ROOT / "docs" / "generate.py"), "--check"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
