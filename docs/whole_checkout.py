"""A hook of mkdocs: files outside docs/ that pages link to are in the site, too.

In a checkout and on GitHub all links are between files. The site has docs/ at its top,
README as its first page, and whatever else a page names where it lies in the checkout.
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath

from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
DOCS = PurePosixPath("docs")
START = ("README.md", "CHANGELOG.md")
"""Pages outside docs/ that the navigation names."""
_LINK = re.compile(r"(?<=\]\()([^)\s#:]+)(?=[)#])")


def place(path: PurePosixPath) -> PurePosixPath:
    """Where a file of the checkout is in the site."""
    return path.relative_to(DOCS) if path.is_relative_to(DOCS) else path


def targets(page: PurePosixPath) -> dict[str, PurePosixPath]:
    """Links of a page to files that are there, and the files."""
    found = {}
    for link in _LINK.findall((ROOT / page).read_text()):
        path = PurePosixPath(os.path.normpath(page.parent / link))
        if (ROOT / path).is_file():
            found[link] = path
    return found


def on_files(files: Files, config: object) -> Files:
    """Add what lies outside docs/."""
    inside = [DOCS / file.src_uri for file in files.documentation_pages()]
    to_read, added = [*inside, *map(PurePosixPath, START)], set(inside)
    while to_read:
        page = to_read.pop()
        if not page.is_relative_to(DOCS) and page not in added:
            source = str(ROOT / page)
            files.append(File.generated(config, str(page), abs_src_path=source))
        added.add(page)
        if page.suffix == ".md":
            to_read += set(targets(page).values()) - added
    return files


def on_page_markdown(text: str, page: Page, **_: object) -> str:
    """Links between files of the checkout as links between files of the site."""
    uri = PurePosixPath(page.file.src_uri)
    source = uri if page.file.generated_by else DOCS / uri
    known = targets(source)

    def moved(found: re.Match[str]) -> str:
        if found[1] not in known:
            return found[1]
        return os.path.relpath(place(known[found[1]]), place(source).parent)

    return _LINK.sub(moved, text)
